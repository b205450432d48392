package engine

import (
	"net"
	"net/url"
	"strings"
)

// URLAllowed tells whether an address begins with one of the prefixes: the same
// scheme and host, and a path below. Without prefixes, loopback and in-cluster
// service names are allowed, and nothing else.
func URLAllowed(raw string, prefixes []string) bool {
	u, err := url.Parse(raw)
	if err != nil || u.Host == "" || u.User != nil || (u.Scheme != "http" && u.Scheme != "https") {
		return false
	}
	if strings.Contains(u.Path, "/../") || strings.HasSuffix(u.Path, "/..") {
		return false
	}
	if prefixes == nil {
		return isLocal(u.Hostname())
	}
	for _, prefix := range prefixes {
		p, err := url.Parse(prefix)
		if err != nil || p.Scheme != u.Scheme || !strings.EqualFold(p.Host, u.Host) {
			continue
		}
		below := strings.TrimSuffix(p.Path, "/")
		if below == "" || u.Path == below || strings.HasPrefix(u.Path, below+"/") {
			return true
		}
	}
	return false
}

func isLocal(host string) bool {
	if ip := net.ParseIP(host); ip != nil {
		return ip.IsLoopback()
	}
	return host == "localhost" || strings.HasSuffix(host, ".svc") || strings.HasSuffix(host, ".svc.cluster.local")
}

// hostOf is what a message may show of an address: no userinfo, path or query.
func hostOf(raw string) string {
	u, err := url.Parse(raw)
	if err != nil || u.Host == "" {
		return "the address"
	}
	return u.Scheme + "://" + u.Host
}
