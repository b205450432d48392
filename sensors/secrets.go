package sensors

import (
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"unicode"
)

const (
	// longestProblem bounds what a server's own words may take of an error, in bytes.
	longestProblem = 300
	// longestSearched bounds what is searched of them for secrets.
	longestSearched = 64 << 10
	// shortestPart is how much of a secret that was cut is one, in bytes.
	shortestPart = 4
	// cutMark is where a text was cut.
	cutMark = "..."
)

// secrets are the credentials that a client has sent, to be kept out of what it
// says: a server may echo them.
type secrets struct {
	mu   sync.Mutex
	list []secret
	most int // kept of them
}

// secret is a value that was sent, and the forms in which texts have it, longest first.
type secret struct {
	value string
	forms []string
}

func (s *secrets) add(values ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, v := range values {
		if v != "" && !slices.ContainsFunc(s.list, func(known secret) bool { return known.value == v }) {
			s.list = append(s.list, secret{v, formsOf(v)})
		}
	}
	// One that was rotated away opens nothing any more; the last few are enough.
	if n := len(s.list) - s.most; n > 0 {
		s.list = s.list[n:]
	}
}

// formsOf are the ways in which a text may have a secret, or what follows its scheme, as
// Bearer: as it is, in quotes, in quotes within quotes, in an address and in a JSON Pointer.
func formsOf(value string) (forms []string) {
	quoted := func(text string) string {
		text = strconv.Quote(text)
		return text[1 : len(text)-1]
	}
	values := []string{value}
	if scheme, after, has := strings.Cut(value, " "); has && !strings.ContainsFunc(scheme, func(r rune) bool { return !unicode.IsLetter(r) }) {
		values = append(values, after)
	}
	for _, v := range values {
		inPath, _ := inPointer(v) // of any text
		forms = append(forms, v, inPath, quoted(v), quoted(quoted(v)), url.QueryEscape(v), url.PathEscape(v), strings.Join(strings.Fields(v), " "))
	}
	forms = slices.DeleteFunc(forms, func(form string) bool { return form == "" })
	slices.SortFunc(forms, func(a, b string) int {
		if len(a) != len(b) {
			return len(b) - len(a)
		}
		return strings.Compare(a, b)
	})
	return slices.Compact(forms)
}

// hide is a text that may have a server's own words, as blank makes it, on one line and cut.
func (s *secrets) hide(text string) string {
	text = s.blank(text)
	text = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' ' // a terminal would take it for a command
		}
		return r
	}, text)
	return excerpt(strings.Join(strings.Fields(text), " "), longestProblem)
}

// blank takes the secrets out of a text, and what is left of one where the text, or a part
// of it, was cut.
func (s *secrets) blank(text string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.list) == 0 {
		return text
	}
	text = excerpt(text, longestSearched)
	for _, one := range s.list {
		for _, form := range one.forms {
			text = strings.ReplaceAll(text, form, "***")
		}
		for _, form := range one.forms {
			text = blankParts(text, form)
		}
	}
	return text
}

// blankParts takes out the beginning of a secret before a mark of a cut, and its end after one.
func blankParts(text, form string) string {
	if !strings.Contains(text, cutMark) {
		return text
	}
	parts := strings.Split(text, cutMark)
	for i, part := range parts {
		if i < len(parts)-1 {
			for n := min(len(form), len(part)); n >= shortestPart; n-- {
				if strings.HasSuffix(part, form[:n]) {
					part = part[:len(part)-n] + "***"
					break
				}
			}
		}
		if i > 0 {
			bar, rest := "", part
			if after, has := strings.CutPrefix(part, "|"); has {
				bar, rest = "|", after
			}
			for n := min(len(form), len(rest)); n >= shortestPart; n-- {
				if strings.HasPrefix(rest, form[len(form)-n:]) {
					part = bar + "***" + rest[n:]
					break
				}
			}
		}
		parts[i] = part
	}
	return strings.Join(parts, cutMark)
}

// excerpt is at most so many bytes of a text, with a mark where it was cut.
func excerpt(text string, most int) string {
	if len(text) > most {
		return strings.ToValidUTF8(text[:most], "") + cutMark
	}
	return text
}

// clean is an error at a place, in words without secrets. What it wraps can be
// told by errors.Is and errors.As.
func (s *secrets) clean(where string, err error) error {
	text := s.hide(err.Error())
	if where != "" {
		text = where + ": " + text
	}
	return &cleanError{text: text, cause: err}
}

// cleanOwn is clean for an error in our own words, which are not cut: the fix is at their end.
func (s *secrets) cleanOwn(err error) error {
	return &cleanError{text: s.blank(err.Error()), cause: err}
}

type cleanError struct {
	text  string
	cause error
}

func (e *cleanError) Error() string { return e.text }
func (e *cleanError) Unwrap() error { return e.cause }
