package httpapi

import (
	"io"
	"net/http"
	"time"
)

// How much of a refused body is read only to be forgotten. Many clients (that of
// Python's standard library, for one) send all of it before they look for an
// answer: were the connection cut under them, they would tell of a broken pipe
// and never of the reason.
const (
	lingerBytes = 32 << 20
	lingerTime  = 3 * time.Second
	lingerIdle  = time.Second // without a piece
	lingerPiece = 64 << 10
)

// leaveBody closes the connection after a refusal, when the body is still under
// way. The answer goes out at once; linger then reads what is short enough.
func (x *exchange) leaveBody(r *http.Request) {
	if r.ContentLength == 0 || x.body != nil && x.body.ended {
		return
	}
	control := http.NewResponseController(x.ResponseWriter)
	if r.ProtoMajor == 1 {
		x.Header().Set("Connection", "close")
		// Who waits to be asked for the body is not asked any more.
		asked := r.Header.Get("Expect") == "" || x.body != nil
		// Without this the server itself reads on, before it answers.
		x.left = asked && r.ContentLength <= lingerBytes && control.EnableFullDuplex() == nil
	}
	// What the server reads by itself has an end too.
	_ = control.SetReadDeadline(time.Now().Add(time.Second / 2))
}

// linger forgets the rest of the body: as long as it flows, and within bounds.
func (x *exchange) linger(r *http.Request) {
	control := http.NewResponseController(x.ResponseWriter)
	if control.Flush() != nil {
		return
	}
	end := time.Now().Add(lingerTime)
	for range lingerBytes / lingerPiece {
		until := time.Now().Add(lingerIdle)
		if until.After(end) {
			until = end
		}
		_ = control.SetReadDeadline(until)
		if _, err := io.CopyN(io.Discard, r.Body, lingerPiece); err != nil {
			return
		}
	}
}
