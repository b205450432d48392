package cloudevents

import (
	"errors"
	"fmt"
)

var (
	// ErrTooLarge is a body, or a batch, beyond the limits.
	ErrTooLarge = errors.New("too large")
	// ErrMediaType is a body in a format that is not read.
	ErrMediaType = errors.New("unsupported media type")
)

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
