package plot

import (
	"strings"
)

// Wrap wraps a text at width columns. Only a single word may be wider. Each line begins
// with the indent.
func Wrap(text, indent string, width int) string {
	var lines []string
	line := indent
	for word := range strings.FieldsSeq(text) {
		if line != indent && Columns(line)+1+Columns(word) > width {
			lines = append(lines, line)
			line = indent
		}
		if line != indent {
			line += " "
		}
		line += word
	}
	return strings.Join(append(lines, line), "\n")
}
