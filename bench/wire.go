package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"os"
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
}

// letter is a whole request in a file in memory, whose pages go out as they are:
// to copy 80 kB for each would empty the caches of whoever computes here.
type letter struct {
	file *os.File
	size int
}

// letters are the requests with these pictures.
func (t *target) letters(pictures [][]byte) ([]letter, error) {
	u, err := url.Parse(t.url)
	if err != nil {
		return nil, err
	}
	all := make([]letter, len(pictures))
	for i, p := range pictures {
		head := fmt.Appendf(nil, "POST %s HTTP/1.1\r\nHost: %s\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n", u.RequestURI(), u.Host, len(p))
		if all[i], err = newLetter(head, p); err != nil {
			return nil, errors.Join(err, burn(all[:i]))
		}
	}
	return all, nil
}

// burn gives their memory back.
func burn(all []letter) (err error) {
	for _, l := range all {
		err = errors.Join(err, l.file.Close())
	}
	return err
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
	return &wire{conn: conn.(*net.TCPConn), in: bufio.NewReader(conn)}, nil
}

// post sends one picture, reads the whole answer and gives its status.
func (w *wire) post(l letter) (status int, err error) {
	if err := w.send(l); err != nil {
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
		return status, fmt.Errorf("%s answers %d without a length", w.conn.RemoteAddr(), status)
	}
	_, err = w.in.Discard(length)
	return status, err
}

// closed keeps `concurrency` requests under way for the duration, each on a
// connection of its own. The pictures are the same each time.
func (t *target) closed(pictures [][]byte, concurrency int, duration time.Duration) result {
	parts := make([]result, concurrency)
	if err := t.prepare(pictures, concurrency); err != nil {
		parts[0].Wrong++
		return merge(parts, 0)
	}
	began, first := time.Now(), rand.IntN(len(t.sent))
	together(concurrency, func(i int) {
		err := t.wires[i].conn.SetDeadline(began.Add(duration + 30*time.Second))
		for n := first + i; time.Since(began) < duration && err == nil; n += concurrency {
			sent := time.Now()
			var status int
			status, err = t.wires[i].post(t.sent[n%len(t.sent)])
			parts[i].add(status, err, time.Since(sent))
		}
	})
	return merge(parts, time.Since(began))
}

// prepare makes the requests and the connections that are not there yet.
func (t *target) prepare(pictures [][]byte, concurrency int) (err error) {
	if t.sent == nil {
		if t.sent, err = t.letters(pictures); err != nil {
			return err
		}
	}
	for len(t.wires) < concurrency {
		w, err := t.dial()
		if err != nil {
			return err
		}
		t.wires = append(t.wires, w)
	}
	return nil
}

// close gives back what closed loads took. A target may be nil.
func (t *target) close() error {
	if t == nil {
		return nil
	}
	err := burn(t.sent)
	for _, w := range t.wires {
		err = errors.Join(err, w.conn.Close())
	}
	t.sent, t.wires = nil, nil
	return err
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
