package hosts

import (
	"cmp"
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"regexp"
	"strconv"
	"strings"

	"golang.org/x/net/idna"
)

// Origin is the normalized scheme, host and port of a request. Two origins are equal if
// requests go to the same server.
type Origin struct {
	scheme string // http or https
	name   string // in lower case and in ASCII; "" where addr is valid
	addr   netip.Addr
	port   uint16
}

// OriginOf is the origin of a URL, as an HTTP client dials it. The error does not print the
// URL.
func OriginOf(u *url.URL) (Origin, error) {
	switch {
	case u == nil:
		return Origin{}, errors.New("no address is given")
	case u.User != nil:
		return Origin{}, errors.New("the address holds a user")
	case u.Opaque != "":
		return Origin{}, errors.New("the address has no // after its scheme")
	}
	return newOrigin(u.Scheme, u.Hostname(), u.Port())
}

func newOrigin(scheme, host, port string) (Origin, error) {
	o := Origin{scheme: strings.ToLower(scheme)}
	standard, known := map[string]string{"http": "80", "https": "443"}[o.scheme]
	if !known {
		return Origin{}, errors.New("the scheme is neither http nor https")
	}
	number, err := strconv.ParseUint(cmp.Or(port, standard), 10, 16)
	if err != nil || number == 0 {
		return Origin{}, errors.New("the port is not a number from 1 to 65535")
	}
	o.port = uint16(number)
	o.name, o.addr, err = parseHost(host)
	return o, err
}

var label = regexp.MustCompile(`^[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?$`)

// parseHost normalizes a host, which is a name or an address. It keeps a dot at the end of a
// name. Without the dot, the resolver may try its search domains first: mlflow.ml can be a
// service in a cluster, while mlflow.ml. is a host in Mali.
func parseHost(host string) (name string, addr netip.Addr, err error) {
	name = host
	if strings.ContainsFunc(host, func(r rune) bool { return r > 127 }) { // an HTTP client does not change ASCII names
		if name, err = idna.Lookup.ToASCII(host); err != nil {
			return "", addr, errors.New("the host is not a name that can be looked up")
		}
	}
	name = strings.ToLower(name)
	if addr, err = netip.ParseAddr(name); err == nil {
		return "", addr.Unmap(), nil // ::ffff:192.0.2.1 is dialled as 192.0.2.1
	}
	labels := strings.Split(strings.TrimSuffix(name, "."), ".")
	for _, l := range labels {
		if !label.MatchString(l) {
			return "", netip.Addr{}, errors.New("the host is neither a name nor an address")
		}
	}
	if len(name) > 254 {
		return "", netip.Addr{}, errors.New("the host is too long for a name")
	}
	// Some resolvers parse 127.1, 0x7f.1 and 2130706433 as addresses.
	if last := labels[len(labels)-1]; numeric.MatchString(last) {
		return "", netip.Addr{}, errors.New("the host is a number and not an address as it is usually written")
	}
	return name, netip.Addr{}, nil
}

var numeric = regexp.MustCompile(`^(0x[0-9a-f]*|[0-9]+)$`)

// String is the origin as a List may name it: https://api.example.com.
func (o Origin) String() string {
	host := o.name
	if o.addr.IsValid() {
		host = o.addr.String()
		if o.addr.Is6() {
			host = "[" + host + "]"
		}
	}
	if o.scheme == "http" && o.port != 80 || o.scheme == "https" && o.port != 443 {
		host = fmt.Sprintf("%s:%d", host, o.port)
	}
	return o.scheme + "://" + host
}
