package freeport

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// Hold reserves a port of 127.0.0.1 until it is released, by a socket that is bound and
// doesn't listen: connections are refused, the kernel doesn't assign the port to listeners
// on port 0, and a listener on this very port succeeds with SO_REUSEADDR, which Go sets.
func Hold() (port int, release func(), err error) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return 0, nil, os.NewSyscallError("socket", err)
	}
	release = func() { _ = unix.Close(fd) }
	if port, err = bind(fd); err != nil {
		release()
		return 0, nil, err
	}
	return port, release, nil
}

func bind(fd int) (int, error) {
	if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1); err != nil {
		return 0, os.NewSyscallError("setsockopt", err)
	}
	if err := unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		return 0, os.NewSyscallError("bind", err)
	}
	name, err := unix.Getsockname(fd)
	if err != nil {
		return 0, os.NewSyscallError("getsockname", err)
	}
	at, ok := name.(*unix.SockaddrInet4)
	if !ok {
		return 0, errors.New("the socket's address is not of IPv4")
	}
	return at.Port, nil
}
