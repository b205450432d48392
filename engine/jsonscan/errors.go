package jsonscan

import (
	"errors"
	"fmt"
	"unicode/utf8"
)

var (
	// ErrTooMany is wrapped where the text has more values than the limit.
	ErrTooMany = errors.New("too many JSON values")
	// ErrTooDeep is wrapped where arrays and objects are nested deeper than the limit.
	ErrTooDeep = errors.New("nested too deep")
	// ErrCutShort is wrapped where the text ends within a value.
	ErrCutShort = errors.New("it is cut short")
	// ErrMore is wrapped where something follows after the value.
	ErrMore = errors.New("more follows after it")
	// ErrRefused is wrapped where the text is JSON and breaks another rule: of
	// numbers, or of members that are there twice.
	ErrRefused = errors.New("refused")
)

// Error says what is wrong with a text, and where.
type Error struct {
	// Path is the value that it is wrong with, as `.data.runs[3]`, "" for the whole text.
	// A long one ends in "...".
	Path string
	// Text is a sentence without a subject: "is nested more than 64 deep".
	Text string
	kind error // one of the above, nil for a syntax error
}

// within adds a step to the front of the path of an error.
func within(step string, err error) error {
	var e *Error
	if errors.As(err, &e) {
		e.Path = shown([]byte(step + e.Path))
	}
	return err
}

// Error is the text.
func (e *Error) Error() string { return e.Text }

// Unwrap gives the kind.
func (e *Error) Unwrap() error { return e.kind }

// longestShown bounds what an error repeats of the text, in bytes.
const longestShown = 60

// shown is a piece of the text as an error may repeat it.
func shown(piece []byte) string {
	text := string(piece[:min(len(piece), longestShown+utf8.UTFMax)])
	if len(text) <= longestShown {
		return text
	}
	for cut := longestShown; ; cut-- {
		if utf8.RuneStart(text[cut]) {
			return text[:cut] + "..."
		}
	}
}

func (s *scan) wrong(kind error, format string, args ...any) error {
	return &Error{Text: fmt.Sprintf(format, args...), kind: kind}
}

// unexpected is a syntax error at the byte where the scan stands.
func (s *scan) unexpected(wanted string) error {
	if s.at >= len(s.raw) {
		return s.wrong(ErrCutShort, "is cut short")
	}
	r, _ := utf8.DecodeRune(s.raw[s.at:])
	return s.wrong(nil, "has %q at byte %d, where %s belongs", r, s.at+1, wanted)
}
