package access

import (
	"fmt"
	"net"
	"net/netip"
	"strings"
)

// IsLoopback tells whether only this machine can reach the address. A port
// without a host, and a host name other than localhost, are not loopback: what
// they mean is not known before the socket is there.
func IsLoopback(addr string) bool {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		host = strings.Trim(addr, "[]")
	}
	if strings.EqualFold(host, "localhost") {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.Unmap().IsLoopback()
}

// CheckListen says whether a door may be opened on the address. Without a key
// it may on loopback only; without TLS keys and pictures travel in the clear,
// which is worth a warning.
func CheckListen(addr string, haveKeys, haveTLS bool) (warning string, err error) {
	if IsLoopback(addr) {
		return "", nil
	}
	if !haveKeys {
		return "", fmt.Errorf("refusing to listen on %s without a key: anybody on the network could use it (set auth.keys_file, or listen on 127.0.0.1)", addr)
	}
	if !haveTLS {
		return fmt.Sprintf("listening on %s without TLS: keys and pictures travel in the clear (set --tls-cert and --tls-key, or put a TLS proxy in front)", addr), nil
	}
	return "", nil
}
