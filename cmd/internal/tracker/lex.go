package tracker

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// kind is the kind of a filter's token.
type kind int

const (
	word   kind = iota // a name with its dots and quoted parts, or a keyword
	quoted             // 'text' or "text"
	number
	operator // of = ! < >
	open
	closing
	comma
)

// token is a token of a filter. text is its source, without quotes.
type token struct {
	kind kind
	text string
}

// lex cuts a filter into tokens.
//
// There are no escapes, as in MLflow: a text that contains one kind of quote is written in the
// other kind.
func lex(filter string) ([]token, error) {
	if !utf8.ValidString(filter) {
		return nil, invalid("Invalid filter: it is no UTF-8.")
	}
	var out []token
	for rest := strings.TrimLeftFunc(filter, unicode.IsSpace); rest != ""; rest = strings.TrimLeftFunc(rest, unicode.IsSpace) {
		t, n, err := next(rest)
		if err != nil {
			return nil, err
		}
		out = append(out, t)
		rest = rest[n:]
	}
	return out, nil
}

// next returns the first token of a text, and its length in bytes.
func next(s string) (token, int, error) {
	switch c := s[0]; {
	case c == '(':
		return token{open, "("}, 1, nil
	case c == ')':
		return token{closing, ")"}, 1, nil
	case c == ',':
		return token{comma, ","}, 1, nil
	case strings.IndexByte("=!<>", c) >= 0:
		n := len(s) - len(strings.TrimLeft(s, "=!<>"))
		return token{operator, s[:n]}, n, nil
	case c == '\'' || c == '"':
		end := strings.IndexByte(s[1:], c)
		if end < 0 {
			return token{}, 0, invalid("Invalid filter: the quote that begins at %s does not end.", shorten(s))
		}
		return token{quoted, s[1 : 1+end]}, end + 2, nil
	case c >= '0' && c <= '9', c == '-', c == '.':
		n := numberLength(s)
		if n == 0 || n < len(s) && isWord(rune(s[n])) {
			return token{}, 0, invalid("Invalid clause(s) in filter string: '%s'", shorten(s))
		}
		return token{number, s[:n]}, n, nil
	}
	n, err := wordLength(s)
	if err != nil {
		return token{}, 0, err
	}
	if n == 0 {
		return token{}, 0, invalid("Invalid clause(s) in filter string: '%s'", shorten(s))
	}
	return token{word, s[:n]}, n, nil
}

func isWord(r rune) bool {
	return r == '_' || unicode.IsLetter(r) || unicode.IsDigit(r)
}

// wordLength returns the length of a name: letters, digits, underscores and dots, and after
// the first dot, or at the beginning, a part in backticks or double quotes.
func wordLength(s string) (int, error) {
	n := 0
	for n < len(s) {
		c := s[n]
		if (c == '`' || c == '"') && (n == 0 || s[n-1] == '.') {
			end := strings.IndexByte(s[n+1:], c)
			if end < 0 {
				return 0, invalid("Invalid filter: the quote that begins at %s does not end.", shorten(s[n:]))
			}
			n += end + 2
			continue
		}
		r, size := utf8.DecodeRuneInString(s[n:])
		if c != '.' && !isWord(r) {
			break
		}
		n += size
	}
	return n, nil
}

// numberLength returns the length of a number with an optional sign, fraction and exponent.
func numberLength(s string) int {
	n := 0
	digits := func() int {
		from := n
		for n < len(s) && s[n] >= '0' && s[n] <= '9' {
			n++
		}
		return n - from
	}
	if s[0] == '-' {
		n++
	}
	whole := digits()
	fraction := 0
	if n < len(s) && s[n] == '.' {
		n++
		fraction = digits()
	}
	if whole+fraction == 0 {
		return 0
	}
	if n < len(s) && (s[n] == 'e' || s[n] == 'E') {
		mantissa := n
		n++
		if n < len(s) && (s[n] == '+' || s[n] == '-') {
			n++
		}
		if digits() == 0 {
			n = mantissa
		}
	}
	return n
}
