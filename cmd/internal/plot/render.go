package plot

import (
	"fmt"
	"strings"
	"time"
	"unicode/utf8"
)

// String renders the chart for a terminal. Each line ends with a newline.
func (c Chart) String() string {
	c = c.complete()
	gutter := 0
	for i := range c.Panels {
		p := &c.Panels[i]
		for _, l := range p.labels() {
			gutter = max(gutter, utf8.RuneCountInString(l))
		}
	}
	w := c.Width - gutter - 3 // a space, the labels, a space, the axis
	var b strings.Builder
	for i := range c.Panels {
		c.panel(&b, &c.Panels[i], gutter, w)
	}
	c.axis(&b, gutter, w)
	return b.String()
}

// labels returns the labels of the value axis by line; most are empty.
func (p *Panel) labels() []string {
	labels := make([]string, p.Height)
	top := p.top(p.steps())
	for s := range p.steps() + 1 {
		labels[(p.Height-1)*s/p.steps()] = number(top - top*float64(s)/float64(p.steps()))
	}
	return labels
}

func (c Chart) panel(b *strings.Builder, p *Panel, gutter, w int) {
	c.title(b, p, gutter, w)
	c.legend(b, p, gutter)
	dots := p.drawAll(w, c.Span)
	objective := -1
	if top := p.top(p.steps()); p.Objective > 0 && p.Objective <= top {
		bottom := 4*p.Height - 1
		objective = (bottom - int(p.Objective/top*float64(bottom)+0.5)) / 4
	}
	starts := map[int]bool{}
	for _, m := range c.Marks {
		if m.At > 0 {
			starts[c.column(m.At, w)] = true
		}
	}
	for row, label := range p.labels() {
		tick := "│"
		if label != "" {
			tick = "┤"
		}
		line := []string{Paint(c.Color, Grey, fmt.Sprintf(" %*s %s", gutter, label, tick))}
		for _, run := range p.runs(dots, row, w, row == objective, starts) {
			line = append(line, Paint(c.Color, run.color, run.text))
		}
		b.WriteString(strings.TrimRight(strings.Join(line, ""), " "))
		b.WriteByte('\n')
	}
}

// title renders the panel's name at the left and the objective and the peak at the right.
func (c Chart) title(b *strings.Builder, p *Panel, gutter, w int) {
	left := p.heading()
	var notes []string
	if p.Objective > 0 {
		notes = append(notes, "┄ objective "+number(p.Objective))
	}
	notes = append(notes, "peak "+number(p.peak()))
	right := strings.Join(notes, "   ")
	pad := max(2, w-utf8.RuneCountInString(left)-utf8.RuneCountInString(right))
	fmt.Fprintf(b, "%s%s%s%s\n", strings.Repeat(" ", gutter+3), Paint(c.Color, p.color(), left), strings.Repeat(" ", pad), Paint(c.Color, Grey, right))
}

// legend renders the names of the lines, if there are several.
func (c Chart) legend(b *strings.Builder, p *Panel, gutter int) {
	if len(p.Lines) < 2 {
		return
	}
	var names []string
	for k, l := range p.Lines {
		sample := newCanvas(3, 1)
		sample.sparse = k + 1
		sample.line(0, 2, 5, 2)
		text := ""
		for col := range sample.w {
			r, _ := sample.at(col, 0)
			text += string(r)
		}
		names = append(names, Paint(c.Color, l.Color, text+" "+l.Name))
	}
	fmt.Fprintf(b, "%s%s\n", strings.Repeat(" ", gutter+3), strings.Join(names, "   "))
}

// run is a sequence of characters of one color.
type run struct {
	color Color
	text  string
}

// runs renders one line of a panel: the dots, and between them the objective and the
// marks.
func (p *Panel) runs(dots drawn, row, w int, objective bool, starts map[int]bool) []run {
	var runs []run
	for col := range w {
		char, color := ' ', Plain
		if r, ok := dots.at(col, row); ok {
			char, color = r, dots.colors[row*w+col]
		} else if objective {
			char, color = '┄', Red
		} else if starts[col] {
			char, color = '┊', Grey
		}
		if n := len(runs); n > 0 && runs[n-1].color == color {
			runs[n-1].text += string(char)
			continue
		}
		runs = append(runs, run{color: color, text: string(char)})
	}
	// Trim trailing spaces.
	if n := len(runs); n > 0 {
		runs[n-1].text = strings.TrimRight(runs[n-1].text, " ")
	}
	return runs
}

// column returns the column of a time in a plot of w columns.
func (c Chart) column(at time.Duration, w int) int {
	return min(w-1, int(float64(at)/float64(c.Span)*float64(w-1)+0.5))
}

// axis renders the time axis with its labels and the labels of the marks.
func (c Chart) axis(b *strings.Builder, gutter, w int) {
	line := []rune(strings.Repeat("─", w))
	labels := newRow(w)
	step := timeStep(c.Span, w)
	for at := time.Duration(0); at <= c.Span; at += step {
		col := c.column(at, w)
		line[col] = '┬'
		text := timeLabel(at)
		labels.put(col-(len(text)-1)/2, text)
	}
	indent := strings.Repeat(" ", gutter+2)
	fmt.Fprintf(b, "%s\n", Paint(c.Color, Grey, indent+"└"+string(line)))
	fmt.Fprintf(b, "%s\n", Paint(c.Color, Grey, indent+" "+labels.String()))
	if len(c.Marks) == 0 {
		return
	}
	names := []*row{newRow(w)}
	for _, m := range c.Marks {
		text := "┊" + m.Label
		if m.At <= 0 {
			text = m.Label
		}
		for i := 0; ; i++ {
			if i == len(names) {
				names = append(names, newRow(w))
			}
			if names[i].put(c.column(m.At, w), text) {
				break
			}
			if i == len(c.Marks) {
				break // wider than the chart
			}
		}
	}
	for _, n := range names {
		if text := n.String(); text != "" {
			fmt.Fprintf(b, "%s %s\n", indent, text)
		}
	}
}
