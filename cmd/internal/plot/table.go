package plot

import (
	"strings"
	"unicode/utf8"
)

// Table is text in columns.
type Table struct {
	Header []string
	// Right says which columns are aligned to the right, as numbers are.
	Right []bool
	Rows  [][]string
	// Color says that the header may be coloured; see Colorful.
	Color bool
}

// String is the table, each line ended: the header, a rule, the rows. Cells hold
// no colours; what a terminal would not show as it is, is quoted (Line). A row may be
// shorter than the header.
func (t Table) String() string {
	widths := make([]int, len(t.Header))
	rows := make([][]string, len(t.Rows))
	for i, row := range t.Rows {
		for _, cell := range row {
			rows[i] = append(rows[i], Line(cell))
		}
	}
	for _, row := range append([][]string{t.Header}, rows...) {
		for len(widths) < len(row) {
			widths = append(widths, 0)
		}
		for i, cell := range row {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	rule := make([]string, len(widths))
	for i, w := range widths {
		rule[i] = strings.Repeat("─", w)
	}
	var b strings.Builder
	line := func(cells []string, c Color) {
		parts := make([]string, len(cells))
		for i, cell := range cells {
			pad := strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell))
			if i < len(t.Right) && t.Right[i] {
				parts[i] = pad + cell
			} else {
				parts[i] = cell + pad
			}
		}
		b.WriteString(Paint(t.Color, c, strings.TrimRight(strings.Join(parts, "  "), " ")))
		b.WriteByte('\n')
	}
	if len(t.Header) > 0 {
		line(t.Header, Cyan)
		line(rule, Grey)
	}
	for _, row := range rows {
		line(row, Plain)
	}
	return b.String()
}
