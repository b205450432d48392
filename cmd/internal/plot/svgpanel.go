package plot

import (
	"image/color"
	"math"

	imagefont "golang.org/x/image/font"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

var (
	pageWhite = color.White
	gridStyle = draw.LineStyle{Color: color.Gray{Y: 0xe4}, Width: 0.5}
	edgeStyle = draw.LineStyle{Color: color.Gray{Y: 0x80}, Width: 0.75}
	markStyle = draw.LineStyle{Color: color.Gray{Y: 0x55}, Width: 0.9, Dashes: []vg.Length{1, 2.5}}
)

func objectiveStyle() draw.LineStyle {
	return draw.LineStyle{Color: pageColor(Red), Width: 1.1, Dashes: []vg.Length{6, 3}}
}

// legendHeight returns the height of the legend, or 0 if the panel has one line.
func (p *page) legendHeight(panel *Panel) vg.Length {
	if len(panel.Lines) < 2 {
		return 0
	}
	return vg.Length(legendRow * len(p.legendRows(panel)))
}

const (
	sampleWidth = 18
	sampleGap   = 4
	entryGap    = 16
)

// legendRows wraps the legend at the width of the page.
func (p *page) legendRows(panel *Panel) [][]Series {
	sty := p.small(Plain, 0, 0)
	var rows [][]Series
	x := p.right
	for _, l := range panel.Lines {
		l.Name = Line(l.Name)
		width := sampleWidth + sampleGap + sty.Width(l.Name) + entryGap
		if x+width > p.right && (len(rows) == 0 || x > p.left) {
			rows, x = append(rows, nil), p.left
		}
		rows[len(rows)-1] = append(rows[len(rows)-1], l)
		x += width
	}
	return rows
}

// yAxis returns the number of intervals of the value axis and the value at its upper
// end, the lowest round one.
func (p *Panel) yAxis() (steps int, highest float64) {
	choices := []int{4, 5, 3}
	if p.Height < 5 {
		choices = []int{2, 3}
	}
	for _, n := range choices {
		if top := p.top(n); steps == 0 || top < highest*(1-1e-9) {
			steps, highest = n, top
		}
	}
	return steps, highest
}

// title draws the panel's name, the peak if it exceeds the axis, and the legend.
func (p *page) title(panel *Panel, top vg.Length) {
	title := style(p.fonts, 11, imagefont.WeightBold, pageColor(Plain), 0, 0)
	p.FillText(title, vg.Point{X: p.left, Y: top - 17}, Line(panel.heading()))
	_, highest := panel.yAxis()
	if peak := panel.peak(); peak > highest {
		p.FillText(p.small(Grey, -1, 0), vg.Point{X: p.right, Y: top - 17}, "peak "+number(peak)+", drawn at the upper edge")
	}
	p.legend(panel, top-titleHeight)
}

// panel draws the axis, the lines of the marks, the objective and the series.
func (p *page) panel(panel *Panel, upper vg.Length) {
	steps, highest := panel.yAxis()
	lower := upper - plotHeight(panel)
	y := func(v float64) vg.Length { return lower + vg.Length(v/highest)*(upper-lower) }
	label := p.small(Grey, -1, -0.5)
	for s := range steps + 1 {
		v := highest * float64(s) / float64(steps)
		p.StrokeLine2(gridStyle, p.left, y(v), p.right, y(v))
		p.FillText(label, vg.Point{X: p.left - 5, Y: y(v)}, number(v))
	}
	for at := range p.times() {
		p.StrokeLine2(gridStyle, p.x(at), lower-3, p.x(at), upper)
	}
	p.StrokeLine2(edgeStyle, p.left, lower, p.right, lower)
	for _, m := range p.marks {
		if m.line > p.left {
			p.StrokeLine2(markStyle, m.line, lower, m.line, upper)
		}
	}
	if o := panel.Objective; o > 0 && o <= highest {
		p.StrokeLine2(objectiveStyle(), p.left, y(o), p.right, y(o))
		sty := p.small(Red, 0, 0)
		p.FillText(sty, vg.Point{X: p.right + 4, Y: y(o) + 1}, "objective")
		sty.YAlign = draw.YTop
		p.FillText(sty, vg.Point{X: p.right + 4, Y: y(o) - 1}, Line(joined(number(o), panel.Unit)))
	}
	for k := range panel.Lines {
		p.line(&panel.Lines[k], highest, y)
	}
}

// line draws a series. A part of a single point is a dot.
func (p *page) line(l *Series, highest float64, y func(float64) vg.Length) {
	sty := lineStyle(l)
	for _, run := range l.runs(highest, p.Span) {
		points := make([]vg.Point, len(run))
		for i, q := range run {
			points[i] = vg.Point{X: p.x(q.At), Y: y(q.Value)}
		}
		if len(points) == 1 {
			p.DrawGlyphNoClip(draw.GlyphStyle{Color: sty.Color, Radius: 1.5, Shape: draw.CircleGlyph{}}, points[0])
			continue
		}
		p.StrokeLines(sty, points)
	}
}

func lineStyle(l *Series) draw.LineStyle {
	return draw.LineStyle{Color: pageColor(l.Color), Width: 1.5}
}

// legend draws the names of the lines below the title, if there are several.
func (p *page) legend(panel *Panel, top vg.Length) {
	if len(panel.Lines) < 2 {
		return
	}
	sty := p.small(Plain, 0, -0.5)
	for row, lines := range p.legendRows(panel) {
		x, y := p.left, top-vg.Length(row*legendRow)-legendRow/2+2
		for i := range lines {
			l := &lines[i]
			p.StrokeLine2(lineStyle(l), x, y, x+sampleWidth, y)
			p.FillText(sty, vg.Point{X: x + sampleWidth + sampleGap, Y: y}, l.Name)
			x += sampleWidth + sampleGap + vg.Length(math.Ceil(float64(sty.Width(l.Name)))) + entryGap
		}
	}
}

func joined(value, unit string) string {
	if unit == "" {
		return value
	}
	return value + " " + unit
}
