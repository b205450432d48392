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

	"github.com/scanflow-k8s/scanflow/engine/mistake"
)

// Header is the value of a request header: a string, or a reference if it is secret.
type Header struct {
	Secret
	// Plain is the string; "" for a reference.
	Plain string `json:"-"`
}

// MarshalJSON writes the form of the manifest.
func (h Header) MarshalJSON() ([]byte, error) {
	if h.Plain != "" {
		return json.Marshal(h.Plain)
	}
	return json.Marshal(h.Secret)
}

const headerFix = "write a text, or where it is secret a reference: {env: NAME}, {file: PATH} or {secretKeyRef: {name: NAME, key: KEY}}"

// Headers are additional headers of a request, by name.
type Headers map[string]Header

// The bounds of a request's headers. Servers have larger ones: nginx accepts 8 KiB a line.
const (
	maxHeaders     = 32
	maxHeaderBytes = 4 << 10 // bytes
)

var (
	headerName  = regexp.MustCompile("^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,256}$")
	headerValue = regexp.MustCompile(`^[!-~]([\t -~]*[!-~])?$`)
)

// reservedHeaders are set by Scanflow or its HTTP client, or apply to one connection only.
var reservedHeaders = []string{
	"Accept", "Accept-Encoding", "Connection", "Expect", "Host", "Idempotency-Key", "Keep-Alive", "Range", "Te", "Trailer", "Transfer-Encoding", "Upgrade", "User-Agent",
}

// reservedPrefixes are for Scanflow's own headers, for those of the body and of proxies, and
// for conditional requests, whose response may have no body.
var reservedPrefixes = []string{"Scanflow-", "Content-", "Proxy-", "If-"}

// Check returns the mistakes in the headers; authorized says that bearerToken or basicAuth
// sets Authorization. No message prints a value.
func (h Headers) Check(authorized bool) (mistakes mistake.Mistakes) {
	if h != nil && len(h) == 0 {
		return mistake.Mistakes{{Path: "headers", Message: "is empty", Fix: "name a header, or leave it out"}}
	}
	if len(h) > maxHeaders {
		mistakes.Add("headers", fmt.Sprintf("are more than %d", maxHeaders), "leave some out")
	}
	as := map[string]string{}
	for _, name := range sortedKeys(h) {
		if !headerName.MatchString(name) {
			mistakes.Add("headers", fmt.Sprintf("%s is not the name of a header", quote(name)), "use letters, digits and -")
			continue
		}
		canonical := textproto.CanonicalMIMEHeaderKey(name)
		if first, twice := as[canonical]; twice {
			mistakes.Add("headers", fmt.Sprintf("%s and %s are one header", first, name), "keep one")
		}
		as[canonical] = name
		if message, fix := h[name].mistake(canonical, authorized); message != "" {
			mistakes.Add(mistake.Key("headers", name), message, fix)
		}
	}
	return mistakes
}

func (h Header) mistake(name string, authorized bool) (message, fix string) {
	byReference := h.Secret != Secret{}
	switch {
	case slices.Contains(reservedHeaders, name) || slices.ContainsFunc(reservedPrefixes, func(p string) bool { return strings.HasPrefix(name, p) }):
		return "is a header that Scanflow, or the connection, writes itself", "leave it out"
	case name == "Authorization" && authorized:
		return "is what bearerToken or basicAuth sends", "keep one"
	case byReference:
		return "", ""
	case h.Plain == "":
		return "has no value", headerFix
	case name == "Authorization" || name == "Cookie":
		return "holds a secret", secretFix
	}
	return valueMistake(h.Plain)
}

func valueMistake(value string) (message, fix string) {
	switch {
	case len(value) > maxHeaderBytes:
		return fmt.Sprintf("is longer than %d bytes", maxHeaderBytes), "shorten it"
	case !headerValue.MatchString(value):
		return "can't be sent in a header", "use printable ASCII on one line, without white space at its ends"
	}
	return "", ""
}

// Read returns the plain headers, and the secret ones with their values. The error names the
// header and where its value was expected, never a value.
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
		if message, fix := valueMistake(value); message != "" {
			return nil, nil, fmt.Errorf("headers.%s: the secret %s; %s", name, message, fix)
		}
		secret.Set(name, value)
	}
	return plain, secret, nil
}
