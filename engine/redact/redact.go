// Package redact takes secrets out of texts in which somebody else may repeat them: the
// receiver of a request that carried them.
package redact

import (
	"encoding/base64"
	"encoding/json"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

const (
	// CutMark is where a text was cut.
	CutMark = "..."
	// mark is what stands in place of a secret.
	mark = "***"
	// shortestPart is how much of a secret that was cut is one, in bytes.
	shortestPart = 4
)

// Secret is a value that was sent.
type Secret struct {
	forms []string // in which texts have it, longest first
}

// New takes the value of a header or a password. Of "Bearer TOKEN" the token is secret too,
// and of "Basic CREDENTIALS" the password in them.
func New(value string) Secret {
	values := []string{value}
	if scheme, after, has := strings.Cut(value, " "); has && !strings.ContainsFunc(scheme, func(r rune) bool { return !unicode.IsLetter(r) }) {
		values = append(values, after)
		if raw, err := base64.StdEncoding.DecodeString(after); err == nil && strings.EqualFold(scheme, "Basic") {
			_, password, _ := strings.Cut(string(raw), ":")
			values = append(values, string(raw), password)
		}
	}
	var s Secret
	for _, v := range values {
		inPointer := strings.NewReplacer("~", "~0", "/", "~1").Replace(v)
		s.forms = append(s.forms, v, quoted(v), quoted(quoted(v)), inJSON(v), url.QueryEscape(v), url.PathEscape(v), inPointer, strings.Join(strings.Fields(v), " "))
	}
	s.forms = slices.DeleteFunc(s.forms, func(form string) bool { return form == "" })
	slices.SortFunc(s.forms, func(a, b string) int {
		if len(a) != len(b) {
			return len(b) - len(a)
		}
		return strings.Compare(a, b)
	})
	s.forms = slices.Compact(s.forms)
	return s
}

func quoted(text string) string {
	text = strconv.Quote(text)
	return text[1 : len(text)-1]
}

func inJSON(text string) string {
	raw, err := json.Marshal(text)
	if err != nil {
		return ""
	}
	return string(raw[1 : len(raw)-1])
}

// From is the text without the secret: as it was sent, in quotes, in quotes within quotes,
// in JSON, in an address and in a JSON Pointer, and without what is left of it where the
// text, or a part of it, was cut.
func (s Secret) From(text string) string {
	for _, form := range s.forms {
		text = strings.ReplaceAll(text, form, mark)
	}
	if !strings.Contains(text, CutMark) {
		return text
	}
	for _, form := range s.forms {
		text = withoutParts(text, form)
	}
	return text
}

// withoutParts takes out the beginning of a secret before a mark of a cut, and its end
// after one.
func withoutParts(text, form string) string {
	parts := strings.Split(text, CutMark)
	for i, part := range parts {
		if i < len(parts)-1 {
			for n := min(len(form), len(part)); n >= shortestPart; n-- {
				if strings.HasSuffix(part, form[:n]) {
					part = part[:len(part)-n] + mark
					break
				}
			}
		}
		if i > 0 {
			rest, barred := strings.CutPrefix(part, "|") // as the client of Prometheus' API marks it
			for n := min(len(form), len(rest)); n >= shortestPart; n-- {
				if strings.HasPrefix(rest, form[len(form)-n:]) {
					rest = mark + rest[n:]
					break
				}
			}
			if part = rest; barred {
				part = "|" + rest
			}
		}
		parts[i] = part
	}
	return strings.Join(parts, CutMark)
}
