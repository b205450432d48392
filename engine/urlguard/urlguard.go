// Package urlguard decides which addresses an agent may call: it compares URLs with the
// prefixes of spec.guards.urls. An address that resolvers, proxies or servers could read
// in two ways is never allowed. It sends nothing.
package urlguard

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Allowed reports whether an address begins with one of the prefixes: the same
// scheme, host and port, and a path below. Without prefixes, loopback and in-cluster
// service names are allowed, and nothing else. An address that servers read
// differently (Problem) is below none.
func Allowed(raw string, prefixes []string) bool {
	u, err := readURL(raw)
	if err != nil {
		return false
	}
	if prefixes == nil {
		return isLocal(u.host)
	}
	return slices.ContainsFunc(prefixes, func(prefix string) bool {
		p, err := readPrefix(prefix)
		return err == nil && u.below(p)
	})
}

// Below reports whether an address is at or below a prefix, by the rule of Allowed.
func Below(raw, prefix string) bool { return Allowed(raw, []string{prefix}) }

// Problem says why an address is one that Allowed never allows, nil if it may be.
func Problem(raw string) error {
	_, err := readURL(raw)
	return err
}

// PrefixProblem says why a text can't bound addresses, nil if it can: it is a URL by
// the rule of Problem that ends with its path.
func PrefixProblem(raw string) error {
	_, err := readPrefix(raw)
	return err
}

// boundURL is an address as the bounds compare it.
type boundURL struct {
	scheme, host, port string
	paths              [][]string // by how often it was decoded: its segments, without the last empty one
}

// urlMost is the length up to which an address is read, in bytes.
const urlMost = 8 << 10

// readURL reads an address of which there is one reading: what it does not refuse
// means the same to every resolver, proxy and server on its way.
func readURL(raw string) (boundURL, error) {
	none := boundURL{}
	switch {
	case len(raw) > urlMost:
		return none, fmt.Errorf("it is longer than %d bytes", urlMost)
	case strings.ContainsFunc(raw, func(r rune) bool { return r <= ' ' || r == 0x7f || r == '\\' }):
		return none, errors.New("it holds a space, a control character or a backslash")
	}
	u, err := url.Parse(raw)
	switch {
	case err != nil:
		return none, errors.New("it is not a URL")
	case u.Scheme != "http" && u.Scheme != "https":
		return none, errors.New("it has no scheme http or https")
	case u.Opaque != "" || u.Host == "":
		return none, errors.New("it has no host")
	case u.User != nil:
		return none, errors.New("it holds a user")
	case strings.Contains(raw, "#"):
		return none, errors.New("it has a fragment, which is never sent")
	}
	out := boundURL{scheme: u.Scheme}
	if out.host, out.port, err = readHost(u); err != nil {
		return none, err
	}
	if out.paths, err = readPath(u.EscapedPath()); err != nil {
		return none, err
	}
	return out, nil
}

func readPrefix(raw string) (boundURL, error) {
	p, err := readURL(raw)
	if err != nil {
		return p, err
	}
	if strings.Contains(raw, "?") {
		return p, errors.New("it has a query")
	}
	for _, segments := range p.paths {
		if slices.Contains(segments, "") || strings.Contains(strings.Join(segments, ""), ";") {
			return p, errors.New("its path has an empty segment or a ;")
		}
	}
	return p, nil
}

var (
	hostLabel = regexp.MustCompile(`^[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?$`)
	// numberLike are last labels by which some resolvers take a name for an IPv4 address.
	numberLike = regexp.MustCompile(`^([0-9]+|0x[0-9a-f]*)$`)
)

// readHost returns the host in lower case and the port, which is never "".
func readHost(u *url.URL) (host, port string, err error) {
	host, port = strings.ToLower(u.Hostname()), u.Port()
	if port == "" && strings.HasSuffix(u.Host, ":") {
		return "", "", errors.New("its port is empty")
	}
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	if n, err := strconv.Atoi(port); err != nil || n < 1 || n > 65535 || strconv.Itoa(n) != port {
		return "", "", errors.New("its port is none of 1 to 65535")
	}
	if strings.HasPrefix(u.Host, "[") {
		ip, err := netip.ParseAddr(host)
		if err != nil || !ip.Is6() || ip.Is4In6() || ip.Zone() != "" {
			return "", "", errors.New("its host is not a plain IPv6 address")
		}
		return ip.String(), port, nil
	}
	labels := strings.Split(host, ".")
	for _, label := range labels {
		if !hostLabel.MatchString(label) {
			return "", "", errors.New("its host is not a name of letters, digits and -, without a dot at its end; write others in their xn-- form")
		}
	}
	if ip, err := netip.ParseAddr(host); err == nil && ip.Is4() {
		return host, port, nil
	}
	if numberLike.MatchString(labels[len(labels)-1]) {
		return "", "", errors.New("its host is a number; write an address like 192.0.2.1")
	}
	return host, port, nil
}

// below reports whether an address is at or below a prefix, however often a path is
// decoded on the way.
func (u boundURL) below(p boundURL) bool {
	if u.scheme != p.scheme || u.host != p.host || u.port != p.port {
		return false
	}
	for i := range max(len(u.paths), len(p.paths)) {
		mine, theirs := u.paths[min(i, len(u.paths)-1)], p.paths[min(i, len(p.paths)-1)]
		if len(mine) < len(theirs) || !slices.Equal(mine[:len(theirs)], theirs) {
			return false
		}
	}
	return true
}

func isLocal(host string) bool {
	if ip, err := netip.ParseAddr(host); err == nil {
		return ip.IsLoopback()
	}
	return host == "localhost" || strings.HasSuffix(host, ".svc") || strings.HasSuffix(host, ".svc.cluster.local")
}

// Host returns the scheme and host of an address, for messages: no userinfo, path or query.
func Host(raw string) string {
	u, err := url.Parse(raw)
	if err != nil || u.Host == "" {
		return "the address"
	}
	return u.Scheme + "://" + u.Host
}
