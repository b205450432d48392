package main

import (
	"cmp"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/scanflow-k8s/scanflow/cmd/internal/plot"
	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/journal"
)

// screenWidth is how many columns a table takes that is not printed to a wider terminal.
const screenWidth = 80

// widthOf is how many columns a table on w may take.
func widthOf(w io.Writer) int {
	_, columns := plot.Terminal(w)
	return min(max(columns, screenWidth), 3*screenWidth)
}

// decisionTable prints decisions as a table, and those after the first thousand below it in
// the same columns, so that any number of them takes little memory.
type decisionTable struct {
	w     io.Writer
	zone  screenZone
	wide  bool
	width int
	now   func() time.Time

	rows    []journal.Row // not printed yet
	columns []int         // widths of all columns but the last; nil before the header is printed
}

// decisionSample is how many rows the widths of the columns are taken from.
const decisionSample = 1000

func (t *decisionTable) add(row journal.Row) error {
	t.rows = append(t.rows, row)
	if t.columns == nil && len(t.rows) < decisionSample {
		return nil
	}
	return t.flush()
}

// flush prints the rows that were added, and before the first ones the header.
func (t *decisionTable) flush() error {
	lines := make([][]string, 0, len(t.rows)+2)
	for _, row := range t.rows {
		lines = append(lines, t.cells(row))
	}
	t.rows = nil
	if t.columns == nil && len(lines) > 0 {
		header := t.header()
		t.columns = t.fit(append([][]string{header}, lines...))
		rule := make([]string, len(header))
		for i, name := range header {
			rule[i] = strings.Repeat("─", cmp.Or(append(t.columns, max(plot.Columns(name), t.last(t.columns)))[i], 1))
		}
		lines = slices.Insert(lines, 0, header, rule)
	}
	var b strings.Builder
	for _, cells := range lines {
		b.WriteString(t.line(cells))
	}
	_, err := io.WriteString(t.w, b.String())
	return err
}

func (t *decisionTable) header() []string {
	if t.wide {
		return []string{t.zone.head("time"), "id", "agent", "target", "strategy", "act", "result", "by", "reason", "because", "detail"}
	}
	return []string{t.zone.head("time"), "id", "target", "act", "result", "why"}
}

func (t *decisionTable) cells(row journal.Row) []string {
	cells := []string{
		t.zone.brief(row.At, t.now()), journal.ShortID(row.ID), row.Target.String(), actText(row.Primitive, row.With), resultText(row, "dry run"), whyText(row, t.zone),
	}
	if t.wide {
		cells = []string{
			t.zone.format(row.At, milliLayout), row.ID, row.Agent, row.Target.String(), row.Strategy, callText(row.Primitive, row.With),
			resultText(row, string(engine.Done)+", dry run"), row.By, row.Reason, strings.Join(row.Because, " "), t.zone.text(fullDetail(row), row.At),
		}
	}
	for i := range cells {
		cells[i] = cmp.Or(plot.Line(cells[i]), "-")
	}
	return cells
}

// The columns of a narrow table that are shortened, and the least widths.
const (
	targetColumn, actColumn, idColumn    = 2, 3, 1
	leastTarget, leastAct, leastWhy, gap = 16, 18, 26, 2
)

// fit returns the widths of all columns but the last, for these lines.
func (t *decisionTable) fit(lines [][]string) []int {
	widths := make([]int, len(lines[0])-1)
	for _, cells := range lines {
		for i := range widths {
			widths[i] = max(widths[i], plot.Columns(cells[i]))
		}
	}
	for !t.wide && t.last(widths) < leastWhy {
		switch { // the wider one first
		case widths[targetColumn] > leastTarget && (widths[targetColumn] >= widths[actColumn] || widths[actColumn] <= leastAct):
			widths[targetColumn]--
		case widths[actColumn] > leastAct:
			widths[actColumn]--
		default:
			return widths
		}
	}
	return widths
}

// last is how many columns the last cell of a line has.
func (t *decisionTable) last(widths []int) int {
	left := t.width
	for _, w := range widths {
		left -= w + gap
	}
	return left
}

// line formats a line. Where an id has outgrown its column, the last cell is shorter.
func (t *decisionTable) line(cells []string) string {
	widths := slices.Clone(t.columns)
	if !t.wide {
		cells = slices.Clone(cells)
		cells[targetColumn] = plot.ClipMiddle(cells[targetColumn], widths[targetColumn])
		cells[actColumn] = plot.Clip(cells[actColumn], widths[actColumn])
		widths[idColumn] = max(widths[idColumn], plot.Columns(cells[idColumn]))
		end := len(cells) - 1
		cells[end] = plot.Clip(cells[end], t.last(widths))
	}
	var b strings.Builder
	for i, cell := range cells {
		b.WriteString(cell)
		if i < len(widths) {
			b.WriteString(strings.Repeat(" ", max(widths[i]-plot.Columns(cell), 0)+gap))
		}
	}
	return strings.TrimRight(b.String(), " ") + "\n"
}
