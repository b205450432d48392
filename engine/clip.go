package engine

import (
	"fmt"
	"regexp"
	"strings"
	"unicode/utf8"
)

// TextMost bounds, in bytes, a text that comes from outside the process: a reason, a
// denial, a problem, the error of a sensor or an actuator, the answer of a server.
const TextMost = 2 << 10

// wasCut matches what Clip leaves of a text, from where it cuts at the earliest.
var wasCut = regexp.MustCompile(`(?s)^.{0,3}\.\.\. \([0-9]{1,19} bytes more\)$`)

// Clip cuts a text to TextMost bytes at the end of a character, and appends how many bytes
// it left out. A text that was cut before stays as it is.
func Clip(text string) string {
	if len(text) <= TextMost || wasCut.MatchString(text[TextMost-utf8.UTFMax+1:]) {
		return text
	}
	kept := strings.ToValidUTF8(text[:TextMost], "")
	return fmt.Sprintf("%s... (%d bytes more)", kept, len(text)-len(kept))
}
