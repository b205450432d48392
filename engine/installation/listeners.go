package installation

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// ErrOwnListener is returned for a connection of an agent to the process that runs it.
var ErrOwnListener = errors.New("the address is this process' own, and an agent may not use the API of its own installation; send an event without a url to reach other agents")

// listeners are the addresses that this process listens on.
type listeners struct {
	mu  sync.Mutex
	all []netip.AddrPort
}

// AddListener adds an address that this process listens on.
func (i *Installation) AddListener(at net.Addr) {
	tcp, ok := at.(*net.TCPAddr)
	if !ok {
		return
	}
	i.listeners.mu.Lock()
	defer i.listeners.mu.Unlock()
	i.listeners.all = append(i.listeners.all, tcp.AddrPort())
}

// DialContext connects as a net.Dialer does, but never to this process: it checks each
// resolved address. The error is ErrOwnListener if one address of a name was rejected and
// no other could be reached.
func (i *Installation) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	var own atomic.Bool
	dialer := net.Dialer{Timeout: 30 * time.Second, KeepAlive: 30 * time.Second, ControlContext: func(_ context.Context, _, resolved string, _ syscall.RawConn) error {
		if i.listeners.contains(resolved) {
			own.Store(true)
			return ErrOwnListener
		}
		return nil
	}}
	conn, err := dialer.DialContext(ctx, network, address)
	if err != nil && own.Load() { // the error may be that of the first address
		return nil, ErrOwnListener
	}
	return conn, err
}

// contains reports whether a connection to an address would reach a listener of this process.
func (l *listeners) contains(address string) bool {
	to, err := netip.ParseAddrPort(address)
	if err != nil {
		return false
	}
	ip := to.Addr().Unmap().WithZone("")
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, own := range l.all {
		if own.Port() == to.Port() && reaches(ip, own.Addr().Unmap().WithZone("")) {
			return true
		}
	}
	return false
}

// reaches reports whether a connection to an address reaches a listener at another. A
// connection to the unspecified address goes to the local host, and a listener on it accepts
// connections to all addresses of the host.
func reaches(to, listener netip.Addr) bool {
	switch {
	case to == listener:
		return true
	case to.IsUnspecified():
		return listener.IsLoopback() || listener.IsUnspecified()
	case !listener.IsUnspecified():
		return false
	case to.IsLoopback():
		return true
	}
	addresses, err := net.InterfaceAddrs()
	if err != nil { // unknown, so assume that it does
		return true
	}
	for _, address := range addresses {
		if network, ok := address.(*net.IPNet); ok {
			if one, ok := netip.AddrFromSlice(network.IP); ok && one.Unmap() == to {
				return true
			}
		}
	}
	return false
}
