package cloudevents

import (
	"errors"
	"fmt"
	"strings"
)

var (
	// ErrTooLarge is a body, or a batch, beyond the limits.
	ErrTooLarge = errors.New("too large")
	// ErrMediaType is a body in a format that is not read.
	ErrMediaType = errors.New("unsupported media type")
)

// Mistakes are all that is wrong with what was sent, each a sentence that names the
// attribute: "event 2: id: is missing".
type Mistakes []string

// mostMistakes are shown; the rest is counted.
const mostMistakes = 50

// Error is one mistake a line.
func (m Mistakes) Error() string { return strings.Join(m, "\n") }

// err is the mistakes as an error, nil if there are none.
func (m Mistakes) err() error {
	switch {
	case len(m) == 0:
		return nil
	case len(m) > mostMistakes:
		return append(m[:mostMistakes:mostMistakes], fmt.Sprintf("%d more mistakes are not shown", len(m)-mostMistakes))
	}
	return m
}

// longestShown bounds what a message repeats of a value.
const longestShown = 60

func quote(text string) string {
	if runes := []rune(text); len(runes) > longestShown {
		text = string(runes[:longestShown]) + "..."
	}
	return fmt.Sprintf("%q", text)
}
