package engine

import (
	"fmt"
	"strings"
)

// TextMost bounds, in bytes, a text that comes from outside the process: a reason, a
// denial, a problem, the error of a sensor or an actuator, the answer of a server.
const TextMost = 2 << 10

// Clip cuts a text to TextMost bytes at the end of a character, and appends how many bytes
// it left out.
func Clip(text string) string {
	if len(text) <= TextMost {
		return text
	}
	kept := strings.ToValidUTF8(text[:TextMost], "")
	return fmt.Sprintf("%s... (%d bytes more)", kept, len(text)-len(kept))
}
