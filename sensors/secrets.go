package sensors

import (
	"slices"
	"strings"
	"sync"
	"unicode"

	"github.com/scanflow-k8s/scanflow/engine/redact"
)

const (
	// maxProblemBytes bounds the text of a server in an error, in bytes.
	maxProblemBytes = 300
	// maxRedactBytes bounds the text that is searched for secrets.
	maxRedactBytes = 64 << 10
)

// sentSecrets holds the values of secret headers that a client has sent. They are removed from
// errors and problems, because a server may echo them.
type sentSecrets struct {
	mu   sync.Mutex
	list []string
	max  int // number of values to keep
}

func (s *sentSecrets) add(values ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, v := range values {
		if v != "" && !slices.Contains(s.list, v) {
			s.list = append(s.list, v)
		}
	}
	// A rotated secret is no longer valid, so the last few are enough.
	if n := len(s.list) - s.max; n > 0 {
		s.list = s.list[n:]
	}
}

// redactLine redacts a text that may come from a server, puts it on one line and truncates it.
func (s *sentSecrets) redactLine(text string) string {
	text = s.redact(text)
	text = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' ' // a terminal could interpret it
		}
		return r
	}, text)
	return excerpt(strings.Join(strings.Fields(text), " "), maxProblemBytes)
}

// redact removes the secrets from a text. It also removes the remainder of one that was cut
// off at the end of the text.
func (s *sentSecrets) redact(text string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.list) == 0 {
		return text
	}
	return redact.Text(excerpt(text, maxRedactBytes), s.list...)
}

// excerpt truncates a text to a number of bytes and marks the cut.
func excerpt(text string, most int) string {
	if len(text) > most {
		return strings.ToValidUTF8(text[:most], "") + redact.CutMark
	}
	return text
}

// wrap returns a redacted and truncated error about a location. errors.Is and errors.As find
// what it wraps.
func (s *sentSecrets) wrap(location string, err error) error {
	text := s.redactLine(err.Error())
	if location != "" {
		text = location + ": " + text
	}
	return &redactedError{text: text, cause: err}
}

// wrapWhole is like wrap, without truncation, for our own messages: they end with the fix.
func (s *sentSecrets) wrapWhole(err error) error {
	return &redactedError{text: s.redact(err.Error()), cause: err}
}

type redactedError struct {
	text  string
	cause error
}

func (e *redactedError) Error() string { return e.text }
func (e *redactedError) Unwrap() error { return e.cause }
