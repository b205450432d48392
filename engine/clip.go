package engine

import (
	"fmt"
	"strings"
)

// TextMost is how many bytes are kept of one text that the process does not write itself:
// a reason, a denial, a problem, the error of a sensor or an actuator, the words of a
// server.
const TextMost = 2 << 10

// Clip cuts a text to TextMost bytes at the end of a character, and says how much is left
// out.
func Clip(text string) string {
	if len(text) <= TextMost {
		return text
	}
	kept := strings.ToValidUTF8(text[:TextMost], "")
	return fmt.Sprintf("%s... (%d bytes more)", kept, len(text)-len(kept))
}
