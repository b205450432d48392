package hosts_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/engine/hosts"
)

// dialled returns the address that an HTTP client dials for a URL; "" if it dials none.
func dialled(t *testing.T, address *url.URL) string {
	var to string
	transport := &http.Transport{DialContext: func(_ context.Context, _, addr string) (net.Conn, error) {
		to = addr
		return nil, errors.New("far enough")
	}}
	r := (&http.Request{Method: http.MethodGet, URL: address, Header: http.Header{}}).WithContext(t.Context())
	resp, err := transport.RoundTrip(r)
	if err == nil {
		_ = resp.Body.Close()
	}
	require.Error(t, err)
	return to
}

// For any address that a list allows, the client dials an address that the list names, and no
// other.
func FuzzAllows(f *testing.F) {
	for _, seed := range []string{
		"http://api.example.com", "http://API.example.com.:80/", "http://api.example.com@evil.org/", `http://evil.org\@api.example.com`, "http://ａｐｉ.example.com",
		"http://[::ffff:192.0.2.1]/", "http://192.0.2.1:080", "http://192.0.2.1%2eevil.org", "http://[fe80::1%25eth0]", "http://%61pi.example.com", "http://api.example.com:",
		"http://x.below.example.com", "http://api.example.com#@evil.org", "http:/\\api.example.com", "http://api.example.com\u200b.evil.org", "http://10.1.2.3",
	} {
		f.Add(seed)
	}
	list, err := hosts.Parse("http://api.example.com http://192.0.2.1 http://*.below.example.com http://10.1.0.0/16")
	require.NoError(f, err)
	f.Fuzz(func(t *testing.T, address string) {
		u, err := url.Parse(address)
		if err != nil {
			return
		}
		o, err := hosts.OriginOf(u)
		if err != nil {
			require.False(t, list.AllowsURL(u))
			return
		}
		own, err := hosts.Parse(o.String())
		if !strings.Contains(o.String(), "%") { // a zone is of this machine, and no list names one
			require.NoError(t, err)
			require.True(t, own.Allows(o))
		}
		if !list.Allows(o) {
			return
		}
		host, port, err := net.SplitHostPort(strings.ToLower(dialled(t, u)))
		require.NoError(t, err)
		require.Equal(t, "80", strings.TrimLeft(port, "0"))
		ip := net.ParseIP(host)
		require.True(t, host == "api.example.com" || strings.HasSuffix(host, ".below.example.com") ||
			ip.Equal(net.IPv4(192, 0, 2, 1)) || ip != nil && ip.Mask(net.CIDRMask(16, 32)).Equal(net.IPv4(10, 1, 0, 0)), "%q dials %s", address, host)
	})
}

// A list of any text is read or refused, and one that is read is written as it was.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{"api.example.com", "http://a:80, https://[2001:db8::1]:8443", "*.example.com", "10.0.0.0/8:80", "[fd00::/8]", "a@b", "*", "bücher.example"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		list, err := hosts.Parse(text)
		if err != nil {
			require.ErrorContains(t, err, hosts.Form)
		}
		again, err := hosts.Parse(list.String())
		require.NoError(t, err)
		require.Equal(t, list, again)
	})
}
