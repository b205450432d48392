package jsonscan

import (
	"errors"
	"fmt"
	"unicode/utf8"
)

var (
	// ErrTooMany is wrapped if the text has more values than the limit.
	ErrTooMany = errors.New("too many JSON values")
	// ErrTooDeep is wrapped if arrays and objects are nested deeper than the limit.
	ErrTooDeep = errors.New("nested too deep")
	// ErrCutShort is wrapped if the text ends within a value.
	ErrCutShort = errors.New("it is cut short")
	// ErrMore is wrapped if the text continues after the value.
	ErrMore = errors.New("more follows after it")
	// ErrRefused is wrapped if the text is valid JSON with a number out of range or a
	// repeated member.
	ErrRefused = errors.New("refused")
)

// Error is an error in a text, with its path.
type Error struct {
	// Path is the path of the value, like `.data.runs[3]`, "" for the whole text. A long
	// one ends in "...".
	Path string
	// Text is a sentence without a subject: "is nested more than 64 deep".
	Text string
	kind error // one of the above, nil for a syntax error
}

// within prepends a step to the path of an error.
func within(step string, err error) error {
	var e *Error
	if errors.As(err, &e) {
		e.Path = clip([]byte(step + e.Path))
	}
	return err
}

// Error returns the text.
func (e *Error) Error() string { return e.Text }

// Unwrap returns one of the errors above, or nil.
func (e *Error) Unwrap() error { return e.kind }

// maxShown bounds what an error repeats of the text, in bytes.
const maxShown = 60

// clip shortens a part of the text for an error.
func clip(piece []byte) string {
	text := string(piece[:min(len(piece), maxShown+utf8.UTFMax)])
	if len(text) <= maxShown {
		return text
	}
	for cut := maxShown; ; cut-- {
		if utf8.RuneStart(text[cut]) {
			return text[:cut] + "..."
		}
	}
}

func (s *scan) errorf(kind error, format string, args ...any) error {
	return &Error{Text: fmt.Sprintf(format, args...), kind: kind}
}

// unexpected is a syntax error at the current byte.
func (s *scan) unexpected(wanted string) error {
	if s.at >= len(s.raw) {
		return s.errorf(ErrCutShort, "is cut short")
	}
	r, _ := utf8.DecodeRune(s.raw[s.at:])
	return s.errorf(nil, "has %q at byte %d, where %s belongs", r, s.at+1, wanted)
}
