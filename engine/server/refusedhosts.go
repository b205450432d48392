package server

import (
	"net/netip"
	"sync"
	"time"
)

const (
	// refusalWindow is the span in which refusals of a host are counted, and the minimum
	// interval between log messages about one host and reason.
	refusalWindow = time.Minute
	// maxHosts bounds the tracked hosts; further ones are counted as one.
	maxHosts  = 1024
	otherHost = "others"
)

// refusedHosts tracks the hosts of recently refused requests.
type refusedHosts struct {
	mu sync.Mutex
	by map[string]*refusedHost
}

type refusedHost struct {
	from  time.Time // start of the window of n
	n     int
	lines map[refusalReason]*refusedLines // one per reason, which is a small fixed set
}

type refusedLines struct {
	last       time.Time
	suppressed int
}

func newRefusedHosts() *refusedHosts { return &refusedHosts{by: map[string]*refusedHost{}} }

// record counts a refusal and returns the host's count within the window. line reports whether
// to log it, and suppressed is the number of messages that were not logged since the last one
// for that host and reason.
func (h *refusedHosts) record(host string, why refusalReason, now time.Time) (n int, line bool, suppressed int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	one := h.get(host, now)
	if now.Sub(one.from) >= refusalWindow {
		one.from, one.n = now, 0
	}
	one.n++
	lines := one.lines[why]
	if lines == nil {
		lines = &refusedLines{}
		one.lines[why] = lines
	}
	if !lines.last.IsZero() && now.Sub(lines.last) < refusalWindow {
		lines.suppressed++
		return one.n, false, 0
	}
	suppressed = lines.suppressed
	lines.last, lines.suppressed = now, 0
	return one.n, true, suppressed
}

// get returns the state of a host. If there are too many hosts, those whose window has ended
// are dropped.
func (h *refusedHosts) get(host string, now time.Time) *refusedHost {
	if one := h.by[host]; one != nil {
		return one
	}
	if len(h.by) >= maxHosts {
		for name, one := range h.by {
			if now.Sub(one.from) >= refusalWindow {
				delete(h.by, name)
			}
		}
	}
	if len(h.by) >= maxHosts {
		host = otherHost
	}
	one := h.by[host]
	if one == nil {
		one = &refusedHost{from: now, lines: map[refusalReason]*refusedLines{}}
		h.by[host] = one
	}
	return one
}

// remoteHost returns a remote address without its port. For IPv6 it is the /64 network, which
// usually belongs to one host.
func remoteHost(address string) string {
	at, err := netip.ParseAddrPort(address)
	if err != nil {
		return otherHost
	}
	ip := at.Addr().Unmap().WithZone("")
	if ip.Is6() && !ip.IsLoopback() {
		if network, err := ip.Prefix(64); err == nil {
			return network.String()
		}
	}
	return ip.String()
}
