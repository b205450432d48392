package plot

import "gonum.org/v1/plot/vg"

// placed is the position of a mark's label.
type placed struct {
	label      string
	line       vg.Length // of the mark's vertical line
	begin, end vg.Length // of the label
	row        int       // 0 is the lowest
}

// hits reports whether a label touches another one or its vertical line.
func (m placed) hits(other placed) bool {
	const gap = 5
	if m.row == other.row && m.begin < other.end+gap && other.begin < m.end+gap {
		return true
	}
	return other.row > m.row && m.begin < other.line && other.line < m.end
}

// placeMarks puts each label into the lowest row in which it touches neither another
// label nor a vertical line.
func (p *page) placeMarks() {
	sty := p.small(Plain, 0, 0)
	for i := len(p.Chart.Marks) - 1; i >= 0; i-- {
		m := placed{label: Line(p.Chart.Marks[i].Label), line: p.x(p.Chart.Marks[i].At)}
		if m.line > p.right {
			continue
		}
		width := sty.Width(m.label)
		m.begin = m.line + 3
		if m.begin+width > p.right {
			m.begin = max(p.left, m.line-3-width)
		}
		m.end = m.begin + width
		for ; m.row < p.markRows; m.row++ {
			free := true
			for _, other := range p.marks {
				free = free && !m.hits(other) && !other.hits(m)
			}
			if free {
				break
			}
		}
		p.marks = append(p.marks, m)
		p.markRows = max(p.markRows, m.row+1)
	}
}

// markLabels draws the labels above the first panel, whose upper edge is at y.
func (p *page) markLabels(y vg.Length) {
	sty := p.small(Plain, 0, 0)
	for _, m := range p.marks {
		at := y + vg.Length(m.row*markRow) + 4
		p.FillText(sty, vg.Point{X: m.begin, Y: at}, m.label)
		if m.line > p.left {
			p.StrokeLine2(markStyle, m.line, y, m.line, at+7)
		}
	}
}
