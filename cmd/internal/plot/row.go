package plot

import (
	"strings"
	"unicode/utf8"
)

// row is a line of text with words at given columns that never overlap.
type row struct {
	cells []rune
	free  int // the first free column
}

func newRow(w int) *row { return &row{cells: []rune(strings.Repeat(" ", w))} }

// put writes text at a column, moved left if it would exceed the end. It reports false,
// and writes nothing, if the text would touch another one.
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
