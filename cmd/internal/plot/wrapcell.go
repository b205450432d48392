package plot

import "strings"

// WrapCell wraps a text for a column of a table. A word that is wider than the column is
// broken.
func WrapCell(text string, columns int) []string {
	columns = max(columns, 2) // of a wide character
	var lines []string
	line := ""
	for word := range strings.FieldsSeq(text) {
		if line != "" && Columns(line)+1+Columns(word) <= columns {
			line += " " + word
			continue
		}
		if line != "" {
			lines = append(lines, line)
		}
		for Columns(word) > columns {
			head := prefix(word, columns)
			lines, word = append(lines, head), word[len(head):]
		}
		line = word
	}
	if line != "" || len(lines) == 0 {
		lines = append(lines, line)
	}
	return lines
}

// prefix returns the beginning of a text that takes so many columns, 2 at the least.
func prefix(text string, columns int) string {
	used := 0
	for i, r := range text {
		if used += runeColumns(r); used > columns {
			return text[:i]
		}
	}
	return text
}
