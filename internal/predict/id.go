package predict

import (
	"crypto/rand"
	"encoding/base32"
	"encoding/binary"
	"time"
)

var base32hex = base32.NewEncoding("0123456789abcdefghijklmnopqrstuv").WithPadding(base32.NoPadding)

// newID is prefix and 26 characters: a UUIDv7 (RFC 9562, section 5.7) in
// lower-case base32hex, so that ids sort by time.
func newID(prefix string) string {
	var u [16]byte
	_, _ = rand.Read(u[:]) // documented never to fail
	var millis [8]byte
	binary.BigEndian.PutUint64(millis[:], uint64(time.Now().UnixMilli()))
	copy(u[:6], millis[2:])
	u[6] = u[6]&0x0f | 0x70
	u[8] = u[8]&0x3f | 0x80
	return prefix + base32hex.EncodeToString(u[:])
}
