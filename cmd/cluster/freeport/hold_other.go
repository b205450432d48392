//go:build !linux

package freeport

import "net"

// Hold returns a port that was free a moment ago: on other systems a reserved port can't
// be listened on.
func Hold() (port int, release func(), err error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, nil, err
	}
	return l.Addr().(*net.TCPAddr).Port, func() {}, l.Close()
}
