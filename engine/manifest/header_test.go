package manifest

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Headers that the connection or Scanflow writes are refused in each spelling, and so are
// names and values that would make another header.
func TestHeadersThatCannotBeSet(t *testing.T) {
	const own = "is a header that Scanflow, or the connection, writes itself; leave it out"
	for name, want := range map[string]string{
		"Host": own, "host": own, "HOST": own, "Accept": own, "accept-encoding": own, "User-Agent": own, "Idempotency-Key": own, "Scanflow-Sender": own,
		"scanflow-x": own, "Content-Type": own, "content-length": own, "Content-Encoding": own, "Content-Language": own, "Content-MD5": own,
		"Connection": own, "keep-alive": own, "TE": own, "te": own, "Trailer": own, "Transfer-Encoding": own, "Upgrade": own, "Expect": own,
		"Proxy-Authorization": own, "proxy-connection": own, "Proxy-Foo": own, "If-None-Match": own, "if-modified-since": own, "Range": own,
		"Authorization": "holds a secret", "authorization": "holds a secret", "Cookie": "holds a secret",
		"": "is not the name of a header", "X Y": "is not the name of a header", "X:Y": "is not the name of a header", "X-Y\r\nZ": "is not the name of a header",
		":path": "is not the name of a header", "X-\u00e9": "is not the name of a header", " X": "is not the name of a header", "X\x00": "is not the name of a header",
		"X-Scope-OrgID": "", "x-scope-orgid": "", "X-Forwarded-For": "", "Accept-Language": "", "Iffy": "", "Proxy": "",
	} {
		mistakes := Headers{name: {Plain: "a"}}.Check(false).Lines()
		if want == "" {
			require.Empty(t, mistakes, name)
			continue
		}
		require.Len(t, mistakes, 1, name)
		require.Contains(t, mistakes[0], want, name)
		require.NotContains(t, mistakes[0], "\n")
	}
	require.Contains(t, Headers{"X-A": {Plain: "a"}, "x-a": {Plain: "b"}}.Check(false).Lines()[0], "X-A and x-a are one header; keep one")
	require.Contains(t, Headers{"Authorization": {Secret: Secret{Env: "A"}}}.Check(true).Lines()[0], "is what bearerToken or basicAuth sends")
	require.Empty(t, Headers{"Authorization": {Secret: Secret{Env: "A"}}}.Check(false))

	const value = "use printable ASCII on one line, without white space at its ends"
	for text, want := range map[string]string{
		"a\r\nX-Other: b": value, "a\nb": value, "a\rb": value, "a\x00b": value, "a\x7fb": value, "\u00e9": value, " a": value, "a ": value, "a\t": value,
		"": "has no value", strings.Repeat("a", maxHeaderBytes+1): "is longer than 4096 bytes", strings.Repeat("a", maxHeaderBytes): "", "a\tb": "", "a, b; c=\"d\"": "",
	} {
		mistakes := Headers{"X-A": {Plain: text}}.Check(false).Lines()
		if want == "" {
			require.Empty(t, mistakes)
			continue
		}
		require.Len(t, mistakes, 1, "%q", text)
		require.Contains(t, mistakes[0], want, "%q", text)
		if len(text) > 3 {
			require.NotContains(t, mistakes[0], text, "the value is not repeated")
		}
	}
}
