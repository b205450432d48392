package engine

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"
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

// FileName returns the name of a file for a message: quoted where it has a character that
// is not printable, such as a line end.
func FileName(name string) string {
	if strings.ContainsFunc(name, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return strconv.Quote(name)
	}
	return name
}
