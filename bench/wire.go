package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// wire is a client's connection that costs next to nothing: it takes its turns
// on the cores of the server that it measures, and net/http's client took a
// quarter of a millisecond a request and four writes, each of which stopped an
// inference on the other side.
type wire struct {
	conn *net.TCPConn
	in   *bufio.Reader
	head []byte // of the request, used again
	path string
	host string
}

func (t *target) dial() (*wire, error) {
	u, err := url.Parse(t.url)
	if err != nil {
		return nil, err
	}
	conn, err := (&net.Dialer{Timeout: 10 * time.Second}).DialContext(context.Background(), "tcp", u.Host)
	if err != nil {
		return nil, err
	}
	return &wire{conn: conn.(*net.TCPConn), in: bufio.NewReader(conn), path: u.RequestURI(), host: u.Host}, nil
}

// post sends one picture, in one write, reads the whole answer and gives its status.
func (w *wire) post(body []byte) (status int, err error) {
	if err := w.conn.SetDeadline(time.Now().Add(30 * time.Second)); err != nil {
		return 0, err
	}
	w.head = fmt.Appendf(w.head[:0], "POST %s HTTP/1.1\r\nHost: %s\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n", w.path, w.host, len(body))
	message := net.Buffers{w.head, body}
	if _, err := message.WriteTo(w.conn); err != nil {
		return 0, err
	}
	line, err := w.in.ReadSlice('\n')
	if err != nil || len(line) < len("HTTP/1.1 200") {
		return 0, fmt.Errorf("the answer begins with %q: %w", line, err)
	}
	if status, err = strconv.Atoi(string(line[9:12])); err != nil {
		return 0, err
	}
	length := -1
	for {
		line, err := w.in.ReadSlice('\n')
		if err != nil {
			return status, err
		}
		if line = bytes.TrimRight(line, "\r\n"); len(line) == 0 {
			break
		}
		if name, value, ok := bytes.Cut(line, []byte(": ")); ok && bytes.EqualFold(name, []byte("Content-Length")) {
			if length, err = strconv.Atoi(string(value)); err != nil {
				return status, err
			}
		}
	}
	if length < 0 {
		return status, fmt.Errorf("%s answers %d without a length", w.host, status)
	}
	_, err = w.in.Discard(length)
	return status, err
}

// closed keeps `concurrency` requests under way for the duration, each on a
// connection of its own.
func (t *target) closed(pictures [][]byte, concurrency int, duration time.Duration) result {
	began, first := time.Now(), rand.IntN(len(pictures))
	parts := make([]result, concurrency)
	together(concurrency, func(i int) {
		w, err := t.dial()
		if err != nil {
			parts[i].Wrong++
			return
		}
		defer func() { _ = w.conn.Close() }()
		for n := first + i; time.Since(began) < duration && err == nil; n += concurrency {
			sent := time.Now()
			var status int
			status, err = w.post(pictures[n%len(pictures)])
			parts[i].add(status, err, time.Since(sent))
		}
	})
	return merge(parts, time.Since(began))
}

// add counts an answer, or that there was none.
func (r *result) add(status int, err error, took time.Duration) {
	switch {
	case err == nil && status == http.StatusOK:
		r.Answers++
		r.Took = append(r.Took, took)
		if took <= time.Second {
			r.Within++
		}
	case err == nil && status == http.StatusServiceUnavailable:
		r.Refused++
	default:
		r.Wrong++
	}
}
