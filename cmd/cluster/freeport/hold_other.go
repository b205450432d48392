//go:build !linux

package freeport

import "net"

// Hold is a port that was free a moment ago: elsewhere a port can't be held and be
// listened at too.
func Hold() (port int, release func(), err error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, nil, err
	}
	return l.Addr().(*net.TCPAddr).Port, func() {}, l.Close()
}
