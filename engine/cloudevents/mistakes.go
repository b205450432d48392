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

// findings gather mistakes: those that are shown, and how many more there are. What was
// sent can hold hundreds of thousands.
type findings struct {
	shown Mistakes
	more  int
}

func (f *findings) add(sentence string) {
	if len(f.shown) == mostMistakes {
		f.more++
		return
	}
	f.shown = append(f.shown, sentence)
}

// join adds those of one event of a batch.
func (f *findings) join(event string, of findings) {
	for _, sentence := range of.shown {
		f.add(event + ": " + sentence)
	}
	f.more += of.more
}

// err is the mistakes as an error, nil if there are none.
func (f *findings) err() error {
	switch {
	case len(f.shown) == 0:
		return nil
	case f.more > 0:
		return append(f.shown, fmt.Sprintf("%d more mistakes are not shown", f.more))
	}
	return f.shown
}

// longestShown bounds what a message repeats of a value, in characters.
const longestShown = 60

func quote(text string) string {
	shown := 0
	for at := range text {
		if shown++; shown > longestShown {
			return fmt.Sprintf("%q", text[:at]+"...")
		}
	}
	return fmt.Sprintf("%q", text)
}
