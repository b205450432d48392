package hosts

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"strings"
)

// Form says how an entry of a List is written.
const Form = "write https://HOST or http://HOST with a :PORT where it is not the usual one, like https://api.example.com or http://mlflow.ml.svc:5000; without a scheme it is https"

// List are hosts that something may be sent to. The zero value allows none.
type List []entry

// entry is one origin, or those below a domain, or those of a network.
type entry struct {
	text    string
	origin  Origin       // of the domain where below is true; of no host where network is valid
	below   bool         // the hosts below the domain, and not itself
	network netip.Prefix // the addresses in it, written as numbers
}

// mostMistakes bounds how many wrong entries an error names.
const mostMistakes = 5

// Parse reads entries, apart by commas or white space. The error, of one line, names the
// first that are wrong, and how one is written; then the list has those that are right.
func Parse(text string) (List, error) {
	var out List
	var wrong []string
	for _, word := range strings.FieldsFunc(text, func(r rune) bool { return r == ',' || r == ' ' || r == '\t' || r == '\n' || r == '\r' }) {
		e, err := parseEntry(word)
		if err != nil {
			if len(wrong) < mostMistakes {
				wrong = append(wrong, fmt.Sprintf("%q: %v", clip(word), err))
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
		e.origin, err = originOf(scheme, address, port)
		return e, err
	}
	if domain, is := strings.CutPrefix(host, "*."); is {
		if !strings.Contains(strings.TrimSuffix(domain, "."), ".") {
			return entry{}, errors.New("is every host below a name of one word")
		}
		e.below, host = true, domain
	}
	if strings.Contains(host, "*") {
		return entry{}, errors.New("has a * that is not the whole first word of a name, like *.example.com")
	}
	e.origin, err = originOf(scheme, host, port)
	if err == nil && e.below && e.origin.addr.IsValid() {
		err = errors.New("is every host below an address")
	}
	return e, err
}

// splitPort takes the port off; "" where there is none. An IPv6 address is in brackets.
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

// Allows reports whether a request may go to an origin: scheme, host and port have to be
// those of an entry.
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
	case e.below:
		return strings.HasSuffix(o.name, "."+e.origin.name)
	}
	return o == e.origin
}

// AllowsURL is Allows for an address as it is written; false where it has no origin.
func (l List) AllowsURL(u *url.URL) bool {
	o, err := Of(u)
	return err == nil && l.Allows(o)
}

// String is the list as it was written, with commas.
func (l List) String() string {
	words := make([]string, len(l))
	for i, e := range l {
		words[i] = e.text
	}
	return strings.Join(words, ",")
}

// longestShown bounds how much of a wrong entry an error repeats, in bytes.
const longestShown = 60

// clip leaves out what an error must not repeat: a user, and most of a long text.
func clip(word string) string {
	if i := strings.LastIndex(word, "@"); i >= 0 {
		word = "***" + word[i:]
	}
	if len(word) > longestShown {
		word = strings.ToValidUTF8(word[:longestShown], "") + "..."
	}
	return word
}
