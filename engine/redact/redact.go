// Package redact removes secrets from texts that the receiver of a request wrote, who may echo
// the secrets in it, and from addresses. It imports nothing of this module. Start reading at
// Text.
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

// minSecret is the length of the shortest secret that is removed, in characters: a shorter one
// occurs in many words. minPart is that of a part of one, where a text was cut.
const (
	minSecret = 3
	minPart   = 4
)

const (
	// CutMark stands where a text was cut.
	CutMark = "..."
	// mark replaces a secret.
	mark = "***"
)

// Text replaces the secrets in the values of the headers that were sent by ***: the values, the
// credentials after Bearer or Basic, and the password of Basic. It finds them in upper or lower
// case, escaped as in URLs, JSON, JSON Pointers and HTML, and in base64 and hexadecimal. If the
// text was cut within a secret, at its end or at a CutMark, the remaining part is replaced too.
func Text(text string, sent ...string) string {
	secrets := secretsIn(sent)
	text = replaceAll(text, secrets)
	if !strings.Contains(text, CutMark) {
		return text
	}
	parts := strings.Split(text, CutMark)
	for i := range parts {
		if i < len(parts)-1 {
			parts[i] = replaceAll(parts[i], secrets) // a secret may be cut at the end of the part
		}
		if i > 0 {
			parts[i] = replaceTail(parts[i], secrets)
		}
	}
	return strings.Join(parts, CutMark)
}

// Error is Text for an error: net/http quotes an answer that is not HTTP. The result wraps err.
func Error(err error, sent ...string) error { return &redacted{Text(err.Error(), sent...), err} }

type redacted struct {
	text  string
	cause error
}

func (e *redacted) Error() string { return e.text }
func (e *redacted) Unwrap() error { return e.cause }

func replaceAll(text string, secrets []string) string {
	for _, secret := range secrets {
		text = replaceOne(text, secret)
	}
	return text
}

// replaceTail replaces the end of a secret at the beginning of a text, which was cut before it.
func replaceTail(text string, secrets []string) string {
	rest, barred := strings.CutPrefix(text, "|") // written by the client of Prometheus' API
	for _, secret := range secrets {
		for n := min(len(secret), len(rest)); n >= minPart; n-- {
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

// secretsIn returns the secrets in the values of headers, the longest first, since one may
// contain another.
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
		if utf8.RuneCountInString(s) < minSecret {
			continue
		}
		all = append(all, s, strings.Join(strings.Fields(s), " "),
			base64.RawStdEncoding.EncodeToString([]byte(s)), base64.RawURLEncoding.EncodeToString([]byte(s)), hex.EncodeToString([]byte(s)))
	}
	slices.SortFunc(all, func(a, b string) int { return cmp.Or(len(b)-len(a), strings.Compare(a, b)) })
	return slices.Compact(all)
}

// replaceOne replaces one secret.
func replaceOne(text, secret string) string {
	var b strings.Builder
	for from := 0; from < len(text); {
		n := matchLen(text[from:], secret)
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

// matchLen returns the length of a secret at the beginning of a text, escaped or not; 0 if it is
// not there. If the text ends within the secret, that is the length of the text.
func matchLen(text, secret string) int {
	ends := []int{0} // of the characters so far: escapes are ambiguous
	found := 0
	for len(secret) > 0 {
		c, size := utf8.DecodeRuneInString(secret)
		var next []int
		for _, end := range ends {
			for _, n := range runeLens(text[end:], c, secret[:size]) {
				if n = end + n; len(next) < maxEnds && !slices.Contains(next, n) {
					next = append(next, n)
				}
			}
		}
		if len(next) == 0 {
			if found >= minPart && slices.ContainsFunc(ends, func(end int) bool { return endsWithin(text[end:]) }) {
				return len(text)
			}
			return 0
		}
		ends, secret = next, secret[size:]
		found++
	}
	return slices.Max(ends)
}

// endsWithin reports whether the rest of a text is empty, or the beginning of an escape.
func endsWithin(rest string) bool {
	return rest == "" || len(rest) < longestEscape && strings.ContainsRune(`%\&~`, rune(rest[0])) && !strings.ContainsFunc(rest[1:], unicode.IsSpace)
}

// maxEnds bounds the readings of the characters so far that are followed: backslashes in a
// secret are ambiguous.
const maxEnds = 8

// longestEscape is the length of the longest escape of a character.
const longestEscape = 12

// runeLens returns the possible lengths of a character at the beginning of a text, escaped or
// not.
func runeLens(text string, c rune, raw string) (out []int) {
	if text == "" {
		return nil
	}
	if r, size := utf8.DecodeRuneInString(text); equalFold(r, c) && (r != utf8.RuneError || text[:size] == raw) || c == ' ' && r == '+' {
		out = append(out, size)
	}
	switch text[0] {
	case '%':
		if s, n := decodeHex(text, "%", len(raw)); strings.EqualFold(s, raw) {
			out = append(out, n)
		}
	case '\\':
		if s, n := decodeHex(text, `\x`, len(raw)); len(raw) > 1 && s == raw {
			out = append(out, n)
		}
		for n := 1; n <= 4 && strings.HasPrefix(text[n-1:], `\`); n++ { // JSON in JSON has two, or four
			if size := backslashLen(text[n:], c); size > 0 {
				out = append(out, n+size)
			}
		}
	case '~': // RFC 6901
		if strings.HasPrefix(text, "~0") && c == '~' || strings.HasPrefix(text, "~1") && c == '/' {
			out = append(out, 2)
		}
	case '&':
		if end := strings.IndexByte(text[:min(len(text), longestEscape)], ';'); end > 0 {
			if r, size := utf8.DecodeRuneInString(html.UnescapeString(text[:end+1])); equalFold(r, c) && size > 0 {
				out = append(out, end+1)
			}
		}
	}
	return out
}

func equalFold(a, b rune) bool { return a == b || unicode.ToLower(a) == unicode.ToLower(b) }

// decodeHex decodes n bytes that are each written as a prefix and two hexadecimal digits, as in
// URLs. It returns them and their length in the text, or "" and 0.
func decodeHex(text, prefix string, n int) (string, int) {
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

// backslashLen returns the length of an escape of a character after its backslash; 0 if it is
// none.
func backslashLen(text string, c rune) int {
	if text == "" {
		return 0
	}
	digits := map[byte]int{'u': 4, 'x': 2}[text[0]]
	if digits > 0 && len(text) > digits {
		if code, err := strconv.ParseUint(text[1:1+digits], 16, 32); err == nil && equalFold(rune(code), c) {
			return 1 + digits
		}
	}
	if r, size := utf8.DecodeRuneInString(text); equalFold(r, c) && !unicode.IsLetter(r) && !unicode.IsDigit(r) {
		return size
	}
	return 0
}
