package sensors

import (
	"slices"
	"strings"
	"sync"
	"unicode"

	"github.com/scanflow-k8s/scanflow/engine/redact"
)

const (
	// longestProblem bounds what a server's own words may take of an error, in bytes.
	longestProblem = 300
	// longestSearched bounds what is searched of them for secrets.
	longestSearched = 64 << 10
)

// secrets are the values of secret headers that a client has sent, to be kept out of what it
// says: a server may echo them.
type secrets struct {
	mu   sync.Mutex
	list []string
	most int // kept of them
}

func (s *secrets) add(values ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, v := range values {
		if v != "" && !slices.Contains(s.list, v) {
			s.list = append(s.list, v)
		}
	}
	// One that was rotated away opens nothing any more; the last few are enough.
	if n := len(s.list) - s.most; n > 0 {
		s.list = s.list[n:]
	}
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
	return redact.Text(excerpt(text, longestSearched), s.list...)
}

// excerpt is at most so many bytes of a text, with a mark where it was cut.
func excerpt(text string, most int) string {
	if len(text) > most {
		return strings.ToValidUTF8(text[:most], "") + redact.CutMark
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
