// Package redact takes secrets out of texts in which somebody else may repeat them: the
// receiver of a request that carried them.
package redact

import (
	"cmp"
	"encoding/base64"
	"encoding/hex"
	"html"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// leastSecret is the length from which on a secret is looked for, in characters: a shorter
// one is in many words. leastBegin is that of its beginning at the end of a text.
const (
	leastSecret = 3
	leastBegin  = 4
)

const (
	// CutMark is where a text was cut.
	CutMark = "..."
	// mark stands in place of a secret.
	mark = "***"
)

// Text replaces the secrets of headers that were sent by ***, in a text of whoever received
// them: the values; what follows Bearer or Basic; a password; all that in upper or lower
// case, escaped as in URLs, JSON, JSON Pointers and HTML, and in base64 and hexadecimal. Where
// the text was cut within one, at its end or at a CutMark, what is left of it goes too.
func Text(text string, sent ...string) string {
	secrets := secretsIn(sent)
	text = without(text, secrets)
	if !strings.Contains(text, CutMark) {
		return text
	}
	parts := strings.Split(text, CutMark)
	for i := range parts {
		if i < len(parts)-1 {
			parts[i] = without(parts[i], secrets) // it ends here
		}
		if i > 0 {
			parts[i] = withoutEnd(parts[i], secrets)
		}
	}
	return strings.Join(parts, CutMark)
}

// Error is an error without the secrets of headers that were sent: that of net/http repeats
// an answer that is no HTTP. What it wraps can be told by errors.Is and errors.As.
func Error(err error, sent ...string) error { return &redacted{Text(err.Error(), sent...), err} }

type redacted struct {
	text  string
	cause error
}

func (e *redacted) Error() string { return e.text }
func (e *redacted) Unwrap() error { return e.cause }

func without(text string, secrets []string) string {
	for _, secret := range secrets {
		text = withoutOne(text, secret)
	}
	return text
}

// withoutEnd takes the end of a secret out of the beginning of a text, before which it was
// cut.
func withoutEnd(text string, secrets []string) string {
	rest, barred := strings.CutPrefix(text, "|") // as the client of Prometheus' API marks it
	for _, secret := range secrets {
		for n := min(len(secret), len(rest)); n >= leastBegin; n-- {
			if strings.HasPrefix(rest, secret[len(secret)-n:]) {
				rest = mark + rest[n:]
				break
			}
		}
	}
	if barred {
		return "|" + rest
	}
	return rest
}

// secretsIn are the secrets of the values of headers, the longest first: one may be in
// another.
func secretsIn(sent []string) []string {
	var plain []string
	for _, value := range sent {
		scheme, credential, _ := strings.Cut(value, " ")
		plain = append(plain, value, credential)
		if pair, err := base64.StdEncoding.DecodeString(credential); err == nil && strings.EqualFold(scheme, "Basic") {
			_, password, _ := strings.Cut(string(pair), ":")
			plain = append(plain, string(pair), password)
		}
	}
	var all []string
	for _, s := range plain {
		if utf8.RuneCountInString(s) < leastSecret {
			continue
		}
		all = append(all, s, strings.Join(strings.Fields(s), " "),
			base64.RawStdEncoding.EncodeToString([]byte(s)), base64.RawURLEncoding.EncodeToString([]byte(s)), hex.EncodeToString([]byte(s)))
	}
	slices.SortFunc(all, func(a, b string) int { return cmp.Or(len(b)-len(a), strings.Compare(a, b)) })
	return slices.Compact(all)
}

// withoutOne replaces one secret.
func withoutOne(text, secret string) string {
	var b strings.Builder
	for from := 0; from < len(text); {
		n := length(text[from:], secret)
		if n == 0 {
			_, n = utf8.DecodeRuneInString(text[from:])
			b.WriteString(text[from : from+n])
		} else {
			b.WriteString(mark)
		}
		from += n
	}
	return b.String()
}

// length is how much of the beginning of a text is a secret, in one writing or another; 0
// if none is. Where the text ends within it, that is all of the text.
func length(text, secret string) int {
	ends := []int{0} // where the characters so far may end: an escape may be more than one
	found := 0
	for len(secret) > 0 {
		c, size := utf8.DecodeRuneInString(secret)
		var next []int
		for _, end := range ends {
			for _, n := range widths(text[end:], c, secret[:size]) {
				if n = end + n; len(next) < endsMost && !slices.Contains(next, n) {
					next = append(next, n)
				}
			}
		}
		if len(next) == 0 {
			if found >= leastBegin && slices.ContainsFunc(ends, func(end int) bool { return endsWithin(text[end:]) }) {
				return len(text)
			}
			return 0
		}
		ends, secret = next, secret[size:]
		found++
	}
	return slices.Max(ends)
}

// endsWithin reports whether a rest of a text is nothing, or the beginning of an escape.
func endsWithin(rest string) bool {
	return rest == "" || len(rest) < longestEscape && strings.ContainsRune(`%\&~`, rune(rest[0])) && !strings.ContainsFunc(rest[1:], unicode.IsSpace)
}

// endsMost is how many readings of the characters so far are followed: backslashes in a
// secret may be read in several ways.
const endsMost = 8

// longestEscape is the length of the longest escape of a character that is looked for.
const longestEscape = 12

// widths are the lengths of what stands for a character at the beginning of a text.
func widths(text string, c rune, raw string) (out []int) {
	if text == "" {
		return nil
	}
	if r, size := utf8.DecodeRuneInString(text); same(r, c) && (r != utf8.RuneError || text[:size] == raw) || c == ' ' && r == '+' {
		out = append(out, size)
	}
	switch text[0] {
	case '%':
		if s, n := escapedBytes(text, "%", len(raw)); strings.EqualFold(s, raw) {
			out = append(out, n)
		}
	case '\\':
		if s, n := escapedBytes(text, `\x`, len(raw)); len(raw) > 1 && s == raw {
			out = append(out, n)
		}
		for n := 1; n <= 4 && strings.HasPrefix(text[n-1:], `\`); n++ { // JSON in JSON has two, or four
			if size := backslashed(text[n:], c); size > 0 {
				out = append(out, n+size)
			}
		}
	case '~': // RFC 6901
		if strings.HasPrefix(text, "~0") && c == '~' || strings.HasPrefix(text, "~1") && c == '/' {
			out = append(out, 2)
		}
	case '&':
		if end := strings.IndexByte(text[:min(len(text), longestEscape)], ';'); end > 0 {
			if r, size := utf8.DecodeRuneInString(html.UnescapeString(text[:end+1])); same(r, c) && size > 0 {
				out = append(out, end+1)
			}
		}
	}
	return out
}

func same(a, b rune) bool { return a == b || unicode.ToLower(a) == unicode.ToLower(b) }

// escapedBytes decodes n bytes that are written in hexadecimal behind a prefix each, as in
// URLs, and returns the length of that; "" if they are not.
func escapedBytes(text, prefix string, n int) (string, int) {
	each := len(prefix) + 2
	if len(text) < each*n {
		return "", 0
	}
	var b []byte
	for i := range n {
		one := text[i*each : (i+1)*each]
		code, err := hex.DecodeString(one[len(prefix):])
		if !strings.HasPrefix(one, prefix) || err != nil {
			return "", 0
		}
		b = append(b, code[0])
	}
	return string(b), each * n
}

// backslashed is the length of what follows a backslash and stands for a character; 0 if
// it does not.
func backslashed(text string, c rune) int {
	if text == "" {
		return 0
	}
	digits := map[byte]int{'u': 4, 'x': 2}[text[0]]
	if digits > 0 && len(text) > digits {
		if code, err := strconv.ParseUint(text[1:1+digits], 16, 32); err == nil && same(rune(code), c) {
			return 1 + digits
		}
	}
	if r, size := utf8.DecodeRuneInString(text); same(r, c) && !unicode.IsLetter(r) && !unicode.IsDigit(r) {
		return size
	}
	return 0
}
