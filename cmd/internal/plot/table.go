package plot

import (
	"strings"
)

// Table is a table of text.
type Table struct {
	Header []string
	// Right reports which columns are aligned to the right.
	Right []bool
	Rows  [][]string
	// Color allows colors in the header; see Colorful.
	Color bool
}

// String renders the header, a rule and the rows. Each line ends with a newline. Cells
// are escaped with Line, so they can't contain colors. A row may be shorter than the
// header.
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
			widths[i] = max(widths[i], Columns(cell))
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
			pad := strings.Repeat(" ", widths[i]-Columns(cell))
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
