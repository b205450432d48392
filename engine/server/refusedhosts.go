package server

import (
	"net/netip"
	"sync"
	"time"
)

const (
	// refusedFor is how long refusals of a host count together, and the pause between two
	// lines of the log on one reason and host.
	refusedFor = time.Minute
	// mostHosts bounds how many hosts are told apart; further ones count as one.
	mostHosts = 1024
	otherHost = "others"
)

// refusedHosts remembers whom requests were refused lately.
type refusedHosts struct {
	mu sync.Mutex
	by map[string]*refusedHost
}

type refusedHost struct {
	from  time.Time // of the minute that n is of
	n     int
	lines map[reason]*refusedLines // one each reason: a small fixed set
}

type refusedLines struct {
	last       time.Time
	suppressed int
}

func newRefusedHosts() *refusedHosts { return &refusedHosts{by: map[string]*refusedHost{}} }

// note counts a refusal: n is how many of its host there were within a minute. line
// reports whether the log should say it, and suppressed how many it has not said since
// the last line of that reason and host.
func (h *refusedHosts) note(host string, why reason, now time.Time) (n int, line bool, suppressed int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	one := h.of(host, now)
	if now.Sub(one.from) >= refusedFor {
		one.from, one.n = now, 0
	}
	one.n++
	lines := one.lines[why]
	if lines == nil {
		lines = &refusedLines{}
		one.lines[why] = lines
	}
	if !lines.last.IsZero() && now.Sub(lines.last) < refusedFor {
		lines.suppressed++
		return one.n, false, 0
	}
	suppressed = lines.suppressed
	lines.last, lines.suppressed = now, 0
	return one.n, true, suppressed
}

// of is what is remembered of a host. Where there is no room, those of more than a minute
// ago are forgotten.
func (h *refusedHosts) of(host string, now time.Time) *refusedHost {
	if one := h.by[host]; one != nil {
		return one
	}
	if len(h.by) >= mostHosts {
		for name, one := range h.by {
			if now.Sub(one.from) >= refusedFor {
				delete(h.by, name)
			}
		}
	}
	if len(h.by) >= mostHosts {
		host = otherHost
	}
	one := h.by[host]
	if one == nil {
		one = &refusedHost{from: now, lines: map[reason]*refusedLines{}}
		h.by[host] = one
	}
	return one
}

// remoteHost is a remote address without its port. Of IPv6 it is the network of 64 bits,
// all of which is usually one host's.
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
