package plot

import (
	"strings"
	"unicode/utf8"
)

// row is a line of text on which words are put at columns and never overlap.
type row struct {
	cells []rune
	free  int // the first column that nothing is on
}

func newRow(w int) *row { return &row{cells: []rune(strings.Repeat(" ", w))} }

// put writes text from a column on, moved left where it would pass the end. It
// reports false, and writes nothing, where it would touch what is there.
func (r *row) put(col int, text string) bool {
	n := utf8.RuneCountInString(text)
	col = max(0, min(col, len(r.cells)-n))
	if col < r.free || n > len(r.cells) {
		return false
	}
	copy(r.cells[col:], []rune(text))
	r.free = col + n + 1
	return true
}

func (r *row) String() string { return strings.TrimRight(string(r.cells), " ") }
