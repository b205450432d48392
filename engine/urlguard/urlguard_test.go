package urlguard

import (
	"net/url"
	"path"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestURLs(t *testing.T) {
	team := []string{"https://hooks.example.com/team/"}
	for _, row := range []struct {
		url      string
		prefixes []string
		want     bool
	}{
		// Without a list: loopback and in-cluster names.
		{"http://127.0.0.1:9/x", nil, true},
		{"http://127.9.8.7/x", nil, true},
		{"http://localhost/x", nil, true},
		{"http://LOCALHOST:80/x", nil, true},
		{"http://[::1]:80/", nil, true},
		{"http://[0:0:0:0:0:0:0:1]:80/", nil, true},
		{"http://hooks.ml.svc:8080/x", nil, true},
		{"http://hooks.ml.svc.cluster.local:8080/x", nil, true},
		{"https://hooks.example.com/", nil, false},
		{"http://localhost.example.com/", nil, false},
		{"http://127.0.0.1:9/x", []string{}, false},
		{"http://127.0.0.1.example.com/", nil, false},
		{"http://127.1/", nil, false},
		{"http://127.0.0.01/", nil, false},
		{"http://0177.0.0.1/", nil, false},
		{"http://0x7f.1/", nil, false},
		{"http://0x7f000001/", nil, false},
		{"http://2130706433/", nil, false},
		{"http://0/", nil, false},
		{"http://0.0.0.0/", nil, false},
		{"http://[::]/", nil, false},
		{"http://[::ffff:127.0.0.1]/", nil, false},
		{"http://[::1%25lo]/", nil, false},
		{"http://localhost./", nil, false},
		{"http://hooks.ml.svc./", nil, false},
		{"http://.svc/", nil, false},
		{"http://a..svc/", nil, false},
		{"http://ⓛocalhost/", nil, false},
		{"http://127。0。0。1/", nil, false},

		// Below a prefix.
		{"https://hooks.example.com/team/b", team, true},
		{"https://hooks.example.com/team", team, true},
		{"https://hooks.example.com/team/", team, true},
		{"https://hooks.example.com/team//b/", team, true},
		{"https://hooks.example.com/team/b?c=/../d", team, true},
		{"https://hooks.example.com/team/b;v=1/c", team, true},
		{"https://hooks.example.com/team/a..b/..c/d.", team, true},
		{"https://hooks.example.com/team/caf%C3%A9", team, true},
		{"https://hooks.example.com/team/100%25", team, true},
		{"https://hooks.example.com/team/group%2Fproject", team, true},
		{"https://HOOKS.example.com/team/b", team, true},
		{"https://hooks.example.com:443/team/b", team, true},
		{"HTTPS://hooks.example.com/team/b", team, true},
		{"https://hooks.example.com", []string{"https://hooks.example.com/"}, true},
		{"https://hooks.example.com/a/x", []string{"https://hooks.example.com/a"}, true},
		{"https://192.0.2.1/a", []string{"https://192.0.2.1"}, true},
		{"https://hooks.example.com/p/group%2Fproject/x", []string{"https://hooks.example.com/p/group%2Fproject/"}, true},

		// Beside it.
		{"https://hooks.example.com/teams", team, false},
		{"https://hooks.example.com/ab", []string{"https://hooks.example.com/a"}, false},
		{"https://hooks.example.com/", team, false},
		{"https://hooks.example.com//team/b", team, false},
		{"https://hooks.example.com/te%61m/b", team, false},
		{"https://hooks.example.com/team%2Fb", team, false},
		{"https://hooks.example.com/team;x/b", team, false},
		{"https://hooks.example.com/Team/b", team, false},
		{"http://hooks.example.com/team/", team, false},
		{"https://hooks.example.com.evil.org/team/", team, false},
		{"https://evil-hooks.example.com/team/", team, false},
		{"https://hooks.example.com:8443/team/", team, false},
		{"https://hooks.example.com:/team/", team, false},
		{"https://hooks.example.com:0443/team/", team, false},
		{"https://hooks.example.com:0/team/", team, false},
		{"https://hooks.example.com:66000/team/", team, false},
		{"https://hooks.example.com./team/", team, false},
		{"https://hooks.example.com@evil.org/team/", team, false},
		{"https://user:pw@hooks.example.com/team/", team, false},
		{"https://@hooks.example.com/team/", team, false},
		{"https://hooks.example.com\\@evil.org/team/", team, false},
		{"https://hooks.ex%61mple.com/team/", team, false},

		// Up and out of it, in any spelling.
		{"https://hooks.example.com/team/../b", team, false},
		{"https://hooks.example.com/team/..", team, false},
		{"https://hooks.example.com/team/.", team, false},
		{"https://hooks.example.com/team/./b", team, false},
		{"https://hooks.example.com/team/%2e%2e/b", team, false},
		{"https://hooks.example.com/team/%2E./b", team, false},
		{"https://hooks.example.com/team/.%2e/b", team, false},
		{"https://hooks.example.com/team/%252e%252e/b", team, false},
		{"https://hooks.example.com/team/%25252e%25252e/b", team, false},
		{"https://hooks.example.com/team/%2525252525252e%2e/b", team, false},
		{"https://hooks.example.com/team/%25252525252525252541", team, false},
		{"https://hooks.example.com/team/..;/b", team, false},
		{"https://hooks.example.com/team/..;x=1/b", team, false},
		{"https://hooks.example.com/team/.;x/b", team, false},
		{"https://hooks.example.com/team/..%3bx/b", team, false},
		{"https://hooks.example.com/team/%2e%2e;/b", team, false},
		{"https://hooks.example.com/team/..%253b/b", team, false},
		{"https://hooks.example.com/team/..%2fb", team, false},
		{"https://hooks.example.com/team/x%2f..%2f..%2fb", team, false},
		{"https://hooks.example.com/team/..%252fb", team, false},
		{"https://hooks.example.com/team/%2e%2e%2fb", team, false},
		{"https://hooks.example.com/team\\..\\b", team, false},
		{"https://hooks.example.com/team/..\\b", team, false},
		{"https://hooks.example.com/team/..%5cb", team, false},
		{"https://hooks.example.com/team/..%255cb", team, false},
		{"https://hooks.example.com/team/%25u002e%25u002e/b", team, false},
		{"https://hooks.example.com/team/..%20/b", team, false},
		{"https://hooks.example.com/team/.../b", team, false},
		{"https://hooks.example.com/team/..%00/b", team, false},
		{"https://hooks.example.com/team/..%0d%0a/b", team, false},
		{"https://hooks.example.com/team/%c0%ae%c0%ae/b", team, false},
		{"https://hooks.example.com/team/%ef%bc%8e%ef%bc%8e/b", team, false},
		{"https://hooks.example.com/team/\uff0e\uff0e/b", team, false},
		{"https://hooks.example.com/team/\u2025/b", team, false},
		{"https://hooks.example.com/team/..\uff0fb", team, false},
		{"https://hooks.example.com/team/\u200b../b", team, false},
		{"https://hooks.example.com/team/b\n", team, false},
		{" https://hooks.example.com/team/b", team, false},
		{"https://hooks.example.com/team/\tb", team, false},
		{"https://hooks.example.com/team/b#/..", team, false},
		{"https://hooks.example.com/team/" + strings.Repeat("x", urlMost), team, false},

		// No address at all, or a prefix that bounds nothing.
		{"ftp://127.0.0.1/", nil, false},
		{"//127.0.0.1/", nil, false},
		{"http:127.0.0.1/", nil, false},
		{"http:///x", nil, false},
		{"::", nil, false},
		{"", nil, false},
		{"https://hooks.example.com/a", []string{"https://hooks.example.com/a?"}, false},
		{"https://hooks.example.com/a", []string{"https://hooks.example.com/a#"}, false},
		{"https://hooks.example.com/b", []string{"https://hooks.example.com/a/../b"}, false},
		{"https://hooks.example.com/b", []string{"https://user@hooks.example.com/"}, false},
		{"https://hooks.example.com//b", []string{"https://hooks.example.com//"}, false},
		{"https://hooks.example.com/b", []string{""}, false},
	} {
		require.Equal(t, row.want, Allowed(row.url, row.prefixes), "%q below %q", row.url, row.prefixes)
	}
}

func TestURLPrefixes(t *testing.T) {
	for prefix, says := range map[string]string{
		"https://hooks.example.com":         "",
		"https://hooks.example.com/":        "",
		"https://hooks.example.com/team":    "",
		"http://127.0.0.1:8080/a/b/":        "",
		"http://[::1]:8080/":                "",
		"hooks.example.com":                 "no scheme",
		"https://":                          "no host",
		"https://*.example.com/":            "its host",
		"https://hooks.example.com./":       "its host",
		"https://häcks.example.com/":        "xn--",
		"https://127.1/":                    "is a number",
		"https://0x7f.0.0.1/":               "is a number",
		"https://hooks.example.com:/":       "port",
		"https://u:p@hooks.example.com/":    "a user",
		"https://hooks.example.com/?a=b":    "a query",
		"https://hooks.example.com/?":       "a query",
		"https://hooks.example.com/#a":      "a fragment",
		"https://hooks.example.com/a/../":   "dot segment",
		"https://hooks.example.com/a%2e%2e": "",
		"https://hooks.example.com/%2e%2e":  "dot segment",
		"https://hooks.example.com/a;b/":    "a ;",
		"https://hooks.example.com/a%3Bb/":  "a ;",
		"https://hooks.example.com/a//b":    "an empty segment",
		"https://hooks.example.com/a\\b":    "a backslash",
	} {
		err := PrefixProblem(prefix)
		if says == "" {
			require.NoError(t, err, prefix)
			continue
		}
		require.ErrorContains(t, err, says, prefix)
	}
}

var params = regexp.MustCompile(`;[^/]*`)

// resolutions are the paths that servers and proxies resolve a path to.
func resolutions(escaped string) []string {
	var out []string
	for range 4 {
		for _, p := range []string{escaped, params.ReplaceAllString(escaped, ""), strings.ReplaceAll(escaped, "\\", "/")} {
			out = append(out, path.Clean("/"+p), path.Clean("/"+params.ReplaceAllString(path.Clean("/"+p), "")))
		}
		next, err := url.PathUnescape(escaped)
		if err != nil {
			next = decodeOnce(escaped)
		}
		escaped = next
	}
	return out
}

// An address that is allowed is below its prefix whatever is made of its path.
func FuzzAllowed(f *testing.F) {
	for _, p := range []string{
		"b", "../b", "%2e%2e/b", "..;/b", "..;x=1/b", "%252e%252e/b", "..%2fb", "..%5cb", "..%255cb", "a;x/../b", "a%2f..%2f..%2fb", "a/;/b",
		"group%2Fproject", "%25%32%65%25%32%65/b", ".%3b/.%3bx/b", "%3f/../b", "//b", "a%3b%2f..", "%u002e%u002e/", "é/b", "./.", "%",
	} {
		f.Add("/team/"+p, "/team/")
		f.Add("/team/"+p, "/team")
	}
	f.Add("/p/a%2Fb/c", "/p/a%2Fb")
	f.Add("/team;x/b", "/team")
	f.Fuzz(func(t *testing.T, sent, bound string) {
		const host = "https://hooks.example.com"
		if !strings.HasPrefix(sent, "/") || !strings.HasPrefix(bound, "/") || !Allowed(host+sent, []string{host + bound}) {
			return
		}
		u, err := url.Parse(host + sent)
		require.NoError(t, err)
		require.Equal(t, "hooks.example.com", u.Host)
		p, err := url.Parse(host + bound)
		require.NoError(t, err)
		below := resolutions(p.EscapedPath())
		for i, got := range resolutions(u.EscapedPath()) {
			prefix := strings.TrimSuffix(below[i], "/")
			require.True(t, prefix == "" || got == prefix || strings.HasPrefix(got, prefix+"/"), "%q is allowed below %q, and is read as %q", sent, bound, got)
		}
	})
}
