package manifest

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/textproto"
	"regexp"
	"slices"
	"strings"
)

// Header is the value of a header of a request: as it is written, where it is no secret,
// or else by reference.
type Header struct {
	Secret
	// Plain is a value that is written; "" for one by reference.
	Plain string `json:"-"`
}

// MarshalJSON writes it as a manifest has it.
func (h Header) MarshalJSON() ([]byte, error) {
	if h.Plain != "" {
		return json.Marshal(h.Plain)
	}
	return json.Marshal(h.Secret)
}

const headerFix = "write a text, or where it is secret a reference: {env: NAME}, {file: PATH} or {secretKeyRef: {name: NAME, key: KEY}}"

// Headers are those that a request carries beside what Scanflow sends itself, by name.
type Headers map[string]Header

// The bounds of a request's headers, within those of servers: nginx takes 8 KiB a line.
const (
	mostHeaders   = 32
	longestHeader = 4 << 10 // bytes
)

var (
	headerName  = regexp.MustCompile("^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,256}$")
	headerValue = regexp.MustCompile(`^[!-~]([\t -~]*[!-~])?$`)
)

// ownHeaders are those that Scanflow or its HTTP client writes, and those that are between
// a client and the next server on the way.
var ownHeaders = []string{
	"Accept", "Accept-Encoding", "Connection", "Expect", "Host", "Idempotency-Key", "Keep-Alive", "Range", "Te", "Trailer", "Transfer-Encoding", "Upgrade", "User-Agent",
}

// ownPrefixes begin the names of such headers: of our own, of the body, of a proxy, and of
// conditions, which an answer without the value would meet.
var ownPrefixes = []string{"Scanflow-", "Content-", "Proxy-", "If-"}

// Check returns the mistakes, each with its field, of headers beside an Authorization of
// its own, or without one. It repeats no value.
func (h Headers) Check(authorized bool) (mistakes []string) {
	if h != nil && len(h) == 0 {
		return []string{"headers: is empty; name a header, or leave it out"}
	}
	if len(h) > mostHeaders {
		mistakes = append(mistakes, fmt.Sprintf("headers: are more than %d; leave some out", mostHeaders))
	}
	as := map[string]string{}
	for _, name := range sortedKeys(h) {
		if !headerName.MatchString(name) {
			mistakes = append(mistakes, fmt.Sprintf("headers: %s is not the name of a header; use letters, digits and -", quote(name)))
			continue
		}
		canonical := textproto.CanonicalMIMEHeaderKey(name)
		if first, twice := as[canonical]; twice {
			mistakes = append(mistakes, fmt.Sprintf("headers: %s and %s are one header; keep one", first, name))
		}
		as[canonical] = name
		if wrong := h[name].mistake(canonical, authorized); wrong != "" {
			mistakes = append(mistakes, "headers."+name+": "+wrong)
		}
	}
	return mistakes
}

func (h Header) mistake(name string, authorized bool) string {
	byReference := h.Secret != Secret{}
	switch {
	case slices.Contains(ownHeaders, name) || slices.ContainsFunc(ownPrefixes, func(p string) bool { return strings.HasPrefix(name, p) }):
		return "is a header that Scanflow, or the connection, writes itself; leave it out"
	case name == "Authorization" && authorized:
		return "is what bearerToken or basicAuth sends; keep one"
	case byReference:
		return ""
	case h.Plain == "":
		return "has no value; " + headerFix
	case name == "Authorization" || name == "Cookie":
		return "holds a secret; " + secretFix
	}
	return valueMistake(h.Plain)
}

func valueMistake(value string) string {
	switch {
	case len(value) > longestHeader:
		return fmt.Sprintf("is longer than %d bytes; shorten it", longestHeader)
	case !headerValue.MatchString(value):
		return "can't be sent in a header; use printable ASCII on one line, without white space at its ends"
	}
	return ""
}

// Read fetches the values for an agent of a namespace: those that are written, and those
// that are secret. The error names the header and the place, never a value.
func (h Headers) Read(ctx context.Context, namespace string, from SecretSource) (plain, secret http.Header, err error) {
	plain, secret = http.Header{}, http.Header{}
	for _, name := range sortedKeys(h) {
		if one := h[name]; one.Plain != "" {
			plain.Set(name, one.Plain)
			continue
		}
		value, err := h[name].Secret.Read(ctx, namespace, from)
		if err != nil {
			return nil, nil, fmt.Errorf("headers.%s: %w", name, err)
		}
		if wrong := valueMistake(value); wrong != "" {
			return nil, nil, fmt.Errorf("headers.%s: the secret %s", name, wrong)
		}
		secret.Set(name, value)
	}
	return plain, secret, nil
}
