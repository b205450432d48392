package engine

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"
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

// FileName is the name of a file for a message: in quotes where a character of it does not
// show, as a line end, which would begin a line of the reader's own.
func FileName(name string) string {
	if strings.ContainsFunc(name, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return strconv.Quote(name)
	}
	return name
}
