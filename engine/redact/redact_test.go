package redact

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"html"
	"net/url"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Text finds a secret in each writing of a receiver.
func TestTextFindsWhatWasSentInEachWriting(t *testing.T) {
	quoted := func(s string) string { b, _ := json.Marshal(s); return string(b[1 : len(b)-1]) }
	each := func(format string) func(string) string {
		return func(s string) string {
			var b strings.Builder
			for _, c := range []byte(s) {
				fmt.Fprintf(&b, format, c)
			}
			return b.String()
		}
	}
	eachRune := func(format string) func(string) string {
		return func(s string) string {
			var b strings.Builder
			for _, c := range s {
				fmt.Fprintf(&b, format, c)
			}
			return b.String()
		}
	}
	writings := map[string]func(string) string{
		"as it is":           func(s string) string { return s },
		"upper case":         strings.ToUpper,
		"lower case":         strings.ToLower,
		"query":              url.QueryEscape,
		"path":               url.PathEscape,
		"every byte":         each("%%%02x"),
		"JSON":               quoted,
		"JSON in JSON":       func(s string) string { return quoted(quoted(s)) },
		"JSON, slashes":      func(s string) string { return strings.ReplaceAll(quoted(s), "/", `\/`) },
		"JSON, all escaped":  eachRune(`\u%04X`),
		"Go, all escaped":    each(`\x%02x`),
		"JSON Pointer":       strings.NewReplacer("~", "~0", "/", "~1").Replace,
		"Go":                 func(s string) string { q := strconv.Quote(s); return q[1 : len(q)-1] },
		"one line":           func(s string) string { return strings.Join(strings.Fields(s), " ") },
		"HTML":               html.EscapeString,
		"HTML, quot":         func(s string) string { return strings.ReplaceAll(html.EscapeString(s), "&#34;", "&quot;") },
		"HTML, decimal":      eachRune("&#%d;"),
		"HTML, hexadecimal":  eachRune("&#x%X;"),
		"base64":             func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) },
		"base64, no padding": func(s string) string { return base64.RawStdEncoding.EncodeToString([]byte(s)) },
		"base64 for URLs":    func(s string) string { return base64.URLEncoding.EncodeToString([]byte(s)) },
		"hexadecimal":        func(s string) string { return hex.EncodeToString([]byte(s)) },
	}
	user, password := "ana", `p@ss w/rd"+&<Q>\?é`
	basic := user + ":" + password
	token := "tok-ABC/123+xyz=="
	for name, writing := range writings {
		ascii := strings.ReplaceAll(password, "é", "e")
		for what, c := range map[string]struct{ sent, echoed string }{
			"a header":         {"Bearer " + token, "Bearer " + token},
			"a token":          {"Bearer " + token, token},
			"a password":       {"Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"+ascii)), ascii},
			"user:password":    {"Basic " + base64.StdEncoding.EncodeToString([]byte(basic)), basic},
			"Basic's base64":   {"Basic " + base64.StdEncoding.EncodeToString([]byte(basic)), base64.StdEncoding.EncodeToString([]byte(basic))},
			"another header":   {`key"with\odd/1 2`, `key"with\odd/1 2`},
			"only backslashes": {strings.Repeat(`\`, 40), strings.Repeat(`\`, 40)},
		} {
			t.Run(name+" of "+what, func(t *testing.T) {
				written := writing(c.echoed)
				require.NotContains(t, Text("no "+written+" here", c.sent), written)
				require.Regexp(t, `^no \*\*\*.* here$`, Text("no "+written+" here", c.sent))
			})
		}
	}
}

// A text that ends within a secret, as an answer that was cut off, does not end with its
// beginning.
func TestTextFindsTheBeginningOfASecretAtTheEnd(t *testing.T) {
	require.Equal(t, "no ***", Text("no tok-AB", "Bearer tok-ABCDEF"))
	require.Equal(t, "no ***", Text("no tok%2dAB%4", "Bearer tok-ABCDEF"))
	require.Equal(t, "no tok", Text("no tok", "Bearer tok-ABCDEF"), "three characters may be anything")
	require.Equal(t, "no tok-AB, friend", Text("no tok-AB, friend", "Bearer tok-ABCDEF"))
}

func TestTextLeavesOtherTextAlone(t *testing.T) {
	const text = "answered 100% of \\ & + &amp; \\u00"
	require.Equal(t, text, Text(text, "Bearer tok-ABCDEF", "", "Basic", "Basic !!!!", "abc"))
	require.Equal(t, "", Text("", "Bearer tok-ABCDEF"))
	require.Equal(t, "*** and ***", Text("s3cret and s3cret", "s3cret"))
	require.Equal(t, "\xff***\xff", Text("\xffs3cret\xff", "s3cret"))
}

// A receiver can't make the search long.
func TestTextIsQuick(t *testing.T) {
	sent := strings.Repeat(`\`, 100) + "x"
	require.Contains(t, Text(strings.Repeat(`\`, 1000)+" x", sent), "x")
}

// Text takes out the rest of a secret where a text was cut, from four bytes on.
func TestTextsThatWereCut(t *testing.T) {
	const secret = "0123456789"
	for n := range len(secret) {
		for _, form := range []string{"x %s... y", "%s...", "\"x%s...\""} {
			want := fmt.Sprintf(form, "***")
			if n < 4 {
				want = fmt.Sprintf(form, secret[:n])
			}
			require.Equal(t, want, Text(fmt.Sprintf(form, secret[:n]), secret))
		}
		for _, form := range []string{"x ...%s y", "...|%s", "a...b...%s"} {
			want := fmt.Sprintf(form, "***")
			if n < 4 {
				want = fmt.Sprintf(form, secret[len(secret)-n:])
			}
			require.Equal(t, want, Text(fmt.Sprintf(form, secret[len(secret)-n:]), secret))
		}
	}
	require.Equal(t, "a *** b", Text("a ... b", "..."))
	require.Equal(t, "nothing...", Text("nothing...", "", "secret"))
}
