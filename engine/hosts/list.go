package hosts

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"strings"
)

// Form is the fix for an invalid entry of a List.
const Form = "write https://HOST or http://HOST with a :PORT where it is not the usual one, like https://api.example.com or http://mlflow.ml.svc:5000; without a scheme it is https"

// List is a list of allowed hosts. The zero value allows none.
type List []entry

// entry is an origin, the subdomains of one, or a network.
type entry struct {
	text       string
	origin     Origin       // of the domain if subdomains is set; without a host if network is valid
	subdomains bool         // the subdomains, without the domain itself
	network    netip.Prefix // matches only hosts that are IP addresses
}

// maxErrors bounds how many invalid entries an error names.
const maxErrors = 5

// Parse parses entries that are separated by commas or white space. The error is one line with
// the first invalid entries and the right form. The list then has the valid entries.
func Parse(text string) (List, error) {
	var out List
	var wrong []string
	for _, word := range strings.FieldsFunc(text, func(r rune) bool { return r == ',' || r == ' ' || r == '\t' || r == '\n' || r == '\r' }) {
		e, err := parseEntry(word)
		if err != nil {
			if len(wrong) < maxErrors {
				wrong = append(wrong, fmt.Sprintf("%q: %v", redact(word), err))
			}
			continue
		}
		out = append(out, e)
	}
	if len(wrong) > 0 {
		return out, fmt.Errorf("%s; %s", strings.Join(wrong, "; "), Form)
	}
	return out, nil
}

func parseEntry(word string) (entry, error) {
	scheme, rest, found := strings.Cut(word, "://")
	if !found {
		scheme, rest = "https", word
	}
	switch {
	case strings.Contains(rest, "@"):
		return entry{}, errors.New("holds a user")
	case strings.ContainsAny(rest, "?#\\%"):
		return entry{}, errors.New("holds more than a host and a port")
	}
	host, port, err := splitPort(rest)
	if err != nil {
		return entry{}, err
	}
	e := entry{text: word}
	if address, bits, is := strings.Cut(host, "/"); is {
		prefix, err := netip.ParsePrefix(host)
		switch {
		case bits == "" || strings.ContainsAny(bits, "/:") || strings.Trim(address, "0123456789abcdefABCDEF.:") != "":
			return entry{}, errors.New("holds a path")
		case err != nil || prefix != prefix.Masked() || prefix.Addr().Is4In6():
			return entry{}, errors.New("is not a network like 10.244.0.0/16")
		case prefix.Bits() == 0:
			return entry{}, errors.New("is every host")
		}
		e.network = prefix
		e.origin, err = newOrigin(scheme, address, port)
		return e, err
	}
	if domain, is := strings.CutPrefix(host, "*."); is {
		if !strings.Contains(strings.TrimSuffix(domain, "."), ".") {
			return entry{}, errors.New("is every host below a name of one word")
		}
		e.subdomains, host = true, domain
	}
	if strings.Contains(host, "*") {
		return entry{}, errors.New("has a * that is not the whole first word of a name, like *.example.com")
	}
	e.origin, err = newOrigin(scheme, host, port)
	if err == nil && e.subdomains && e.origin.addr.IsValid() {
		err = errors.New("is every host below an address")
	}
	return e, err
}

// splitPort splits a host and an optional port. An IPv6 address must be in brackets.
func splitPort(text string) (host, port string, err error) {
	if inside, is := strings.CutPrefix(text, "["); is {
		var after string
		host, after, is = strings.Cut(inside, "]")
		if !is || !strings.Contains(host, ":") {
			return "", "", errors.New("has brackets, and no IPv6 address in them")
		}
		if after == "" {
			return host, "", nil
		}
		text = after
	} else if strings.Count(text, ":") > 1 {
		return "", "", errors.New("has several colons; an IPv6 address is written in brackets")
	}
	before, port, there := strings.Cut(text, ":")
	switch {
	case host == "":
		host = before
	case before != "":
		return "", "", errors.New("has text between the brackets and the port")
	}
	if there && port == "" || strings.Trim(port, "0123456789") != "" {
		return "", "", errors.New("the port is not a number from 1 to 65535")
	}
	return host, port, nil
}

// Allows reports whether the scheme, host and port of an origin match an entry.
func (l List) Allows(o Origin) bool {
	for _, e := range l {
		if e.allows(o) {
			return true
		}
	}
	return false
}

func (e entry) allows(o Origin) bool {
	switch {
	case o.scheme != e.origin.scheme || o.port != e.origin.port:
		return false
	case e.network.IsValid():
		return o.addr.IsValid() && o.addr.Zone() == "" && e.network.Contains(o.addr)
	case e.subdomains:
		return strings.HasSuffix(o.name, "."+e.origin.name)
	}
	return o == e.origin
}

// AllowsURL is Allows for a URL; false if it has no valid origin.
func (l List) AllowsURL(u *url.URL) bool {
	o, err := OriginOf(u)
	return err == nil && l.Allows(o)
}

// String is the list as it was written, separated by commas.
func (l List) String() string {
	words := make([]string, len(l))
	for i, e := range l {
		words[i] = e.text
	}
	return strings.Join(words, ",")
}

// maxShown bounds how much of an entry an error prints, in bytes.
const maxShown = 60

// redact removes the user from an entry for an error, and shortens a long one.
func redact(word string) string {
	if i := strings.LastIndex(word, "@"); i >= 0 {
		word = "***" + word[i:]
	}
	if len(word) > maxShown {
		word = strings.ToValidUTF8(word[:maxShown], "") + "..."
	}
	return word
}
