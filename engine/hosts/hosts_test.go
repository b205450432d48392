package hosts_test

import (
	"net/url"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/engine/hosts"
)

// Where a list lets a request go, by every odd way to spell an address.
func TestAllows(t *testing.T) {
	for _, c := range []struct {
		list    string
		allowed []string
		refused []string
	}{
		{
			"api.example.com",
			[]string{
				"https://api.example.com", "https://api.example.com/", "https://api.example.com:443/x?y#z", "https://API.Example.COM/", "HTTPS://api.example.com",
				"https://api.example.com:/", "https://api.example.com:0443/", "https://ａｐｉ.example.com/", "https://api。example。com/",
			},
			[]string{
				"http://api.example.com", "http://api.example.com:443", "https://api.example.com:8443", "https://api.example.com./", "https://example.com/",
				"https://x.api.example.com/", "https://api.example.com.evil.org/", "https://evilapi.example.com/", "https://api.example.com@evil.org/",
				"https://evil.org/api.example.com", "https://evil.org#api.example.com", "https://evil.org?api.example.com", `https://evil.org\api.example.com`,
				"https://user@api.example.com/", "https://user:password@api.example.com/", "ftp://api.example.com/", "//api.example.com/", "api.example.com", "",
				"https:api.example.com", "https://api.example.com:0/", "https://api.example.com:65979/", "https:///api.example.com", "https://api-example.com/",
			},
		},
		{
			"http://mlflow.ml.svc:5000, https://mlflow.ml.svc:5000",
			[]string{"http://mlflow.ml.svc:5000/api", "https://mlflow.ml.svc:5000/"},
			[]string{"http://mlflow.ml.svc/", "http://mlflow.ml:5000/", "http://mlflow.ml.svc.cluster.local:5000/", "http://mlflow.ml.svc.:5000/"},
		},
		{"mlflow.ml.", []string{"https://mlflow.ml./"}, []string{"https://mlflow.ml/", "https://mlflow.ml../"}},
		{"bücher.example", []string{"https://bücher.example/", "https://xn--bcher-kva.example/", "https://BÜCHER.example/", "https://b%C3%BCcher.example/"}, []string{"https://bucher.example/", "https://xn--bcher-kvb.example/"}},
		{"kube.example", []string{"https://\u212Aube.example/"}, []string{"https://ｋube.example\u0301/", "https://кube.example/"}},
		{
			"*.example.com",
			[]string{"https://a.example.com", "https://a.b.example.com", "https://A.EXAMPLE.com:443"},
			[]string{"https://example.com", "https://aexample.com", "https://.example.com", "https://example.com.evil.org", "https://a.example.com.", "http://a.example.com", "https://a.example.com:444"},
		},
		{
			"http://192.0.2.1:8080",
			[]string{"http://192.0.2.1:8080", "http://[::ffff:192.0.2.1]:8080", "http://[::ffff:c000:201]:8080", "http://１９２.0.2.1:8080"},
			[]string{"http://192.0.2.1", "http://192.0.2.10:8080", "http://192.0.2.1.:8080", "http://192.0.2.1.example.com:8080", "http://3221225985:8080", "http://0xc0000201:8080", "http://192.0.513:8080", "http://0300.0.2.1:8080", "http://192.000.002.001:8080"},
		},
		{
			"http://[2001:db8::1]:8080 https://[2001:DB8:0::2]",
			[]string{"http://[2001:db8::1]:8080", "http://[2001:DB8:0:0::1]:8080", "http://[2001:db8:0:0:0:0:0:1]:8080", "https://[2001:db8::2]", "https://[2001:db8::2]:443"},
			[]string{"http://[2001:db8::1]", "http://[2001:db8::1%25eth0]:8080", "https://[2001:db8::3]", "http://[2001:db8::2]:443"},
		},
		{
			"http://10.244.0.0/16:9100, https://[fd00::/8]:9100",
			[]string{"http://10.244.1.2:9100/metrics", "http://[::ffff:10.244.1.2]:9100/metrics", "https://[fd12::1]:9100"},
			[]string{"http://10.245.1.2:9100", "http://10.244.1.2:9101", "http://10.244.1.2.example.com:9100", "https://10.244.1.2:9100", "https://[fe80::1]:9100", "https://[fd12::1%25eth0]:9100"},
		},
		{"", nil, []string{"https://api.example.com", "http://127.0.0.1", "http://localhost"}},
		{"localhost my_service", []string{"https://localhost", "https://LOCALHOST", "https://my_service"}, []string{"https://127.0.0.1", "https://localhost.localdomain"}},
	} {
		list, err := hosts.Parse(c.list)
		require.NoError(t, err, c.list)
		for _, address := range c.allowed {
			u, err := url.Parse(address)
			require.NoError(t, err)
			require.True(t, list.AllowsURL(u), "%s allows %s", c.list, address)
			o, err := hosts.OriginOf(u)
			require.NoError(t, err)
			own, err := hosts.Parse(o.String())
			require.NoError(t, err)
			require.True(t, own.Allows(o), "what an error says to write allows %s", address)
		}
		for _, address := range c.refused {
			u, err := url.Parse(address)
			require.False(t, err == nil && list.AllowsURL(u), "%s does not allow %s", c.list, address)
		}
	}
	var none hosts.List
	require.False(t, none.AllowsURL(nil))
	require.False(t, none.Allows(hosts.Origin{}), "what has no origin goes nowhere")
}

func TestOriginIsWrittenAsAnEntry(t *testing.T) {
	for address, is := range map[string]string{
		"HTTPS://API.example.com:443/path": "https://api.example.com",
		"http://api.example.com:80":        "http://api.example.com",
		"http://api.example.com:443":       "http://api.example.com:443",
		"https://[2001:DB8::1]:8443/":      "https://[2001:db8::1]:8443",
		"http://bücher.example.":           "http://xn--bcher-kva.example.",
	} {
		u, err := url.Parse(address)
		require.NoError(t, err)
		o, err := hosts.OriginOf(u)
		require.NoError(t, err)
		require.Equal(t, is, o.String())
	}
}

func TestMistakesInAList(t *testing.T) {
	for text, says := range map[string]string{
		"*":                              `"*": has a * that is not the whole first word`,
		"*.com":                          `"*.com": is every host below a name of one word`,
		"*.10.0.0.1":                     "is every host below an address",
		"a.*.example.com":                "has a *",
		"https://api.example.com/":       "holds a path",
		"https://api.example.com/hooks":  "holds a path",
		"ftp://api.example.com":          "the scheme is neither http nor https",
		"api.example.com:https":          "the port is not a number",
		"api.example.com:":               "the port is not a number",
		"api.example.com:0":              "the port is not a number",
		"api.example.com:70000":          "the port is not a number",
		"https://":                       "the host is neither a name nor an address",
		"https://:443":                   "the host is neither",
		"a..b":                           "the host is neither",
		"-a.example.com":                 "the host is neither",
		"api.example.com?x":              "more than a host and a port",
		"https://user:hunter2@h.example": `"***@h.example": holds a user`,
		"2001:db8::1":                    "has several colons; an IPv6 address is written in brackets",
		"[2001:db8::1]x:80":              "between the brackets and the port",
		"[api.example.com]":              "no IPv6 address in them",
		"[fe80::1%eth0]":                 "more than a host and a port",
		"127.1":                          "is a number and not an address",
		"2130706433":                     "is a number and not an address",
		"10.244.0.1/16":                  "is not a network",
		"10.244.0.0/33":                  "is not a network",
		"0.0.0.0/0":                      "is every host",
		"http://[::/0]":                  "is every host",
	} {
		list, err := hosts.Parse("good.example.com, " + text)
		require.ErrorContains(t, err, says, text)
		require.ErrorContains(t, err, "https://api.example.com or http://mlflow.ml.svc:5000", text)
		require.NotContains(t, err.Error(), "hunter2")
		require.Len(t, list, 1)
	}
	_, err := hosts.Parse("*, 127.1")
	require.ErrorContains(t, err, `"*"`)
	require.ErrorContains(t, err, `"127.1"`, "every mistake is named")
	list, err := hosts.Parse(" a.example.com,\n\thttp://b.example.com:80  ")
	require.NoError(t, err)
	require.Equal(t, "a.example.com,http://b.example.com:80", list.String())
}
