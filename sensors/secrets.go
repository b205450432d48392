package sensors

import (
	"slices"
	"strings"
	"sync"

	"github.com/scanflow-k8s/scanflow/engine/web"
)

// longestProblem bounds what a server's own words may take of an error, in bytes.
const longestProblem = 300

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

// hide blanks the secrets, flattens the text to one line and cuts it.
func (s *secrets) hide(text string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	text = web.Blank(text, s.list...)
	text = strings.Join(strings.Fields(text), " ")
	if len(text) > longestProblem {
		text = strings.ToValidUTF8(text[:longestProblem], "") + "..."
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

type cleanError struct {
	text  string
	cause error
}

func (e *cleanError) Error() string { return e.text }
func (e *cleanError) Unwrap() error { return e.cause }
