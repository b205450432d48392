package plot

import (
	"math"
	"time"
)

// Point is a value at a time from the start of the chart. A NaN interrupts the line.
type Point struct {
	At    time.Duration
	Value float64
}

// Series is one line of a panel.
type Series struct {
	// Name is shown in the legend, if the panel has several lines.
	Name string
	// Points are sorted by time.
	Points []Point
	// Step draws a step function, as for a number of replicas, in place of a line.
	Step bool
	// Color distinguishes the lines of a panel. If there are several, each Plain one gets a color.
	Color Color
}

// Panel is one quantity over the chart's time.
type Panel struct {
	Title string
	Unit  string // after the title, in brackets
	Lines []Series
	// Height is in lines of a terminal; 0 means 5.
	Height int
	// Top is the highest value of the axis. Higher values are drawn at the top edge, and
	// the title shows the peak. 0 means the peak or the Objective, whichever is higher.
	Top float64
	// Objective, if above 0, is drawn as a dashed line.
	Objective float64
}

// Mark labels the interval that begins at a time.
type Mark struct {
	At    time.Duration
	Label string
}

// Chart is a column of panels with one time axis. String renders it for a terminal, SVG
// for a page.
type Chart struct {
	Width  int           // of the whole chart, in columns of a terminal; 0 means 90, the minimum is 40
	Span   time.Duration // from 0; 0 ends at the last point
	Panels []Panel
	Marks  []Mark
	// Color allows colors in the terminal; see Colorful.
	Color bool
}

const (
	defaultWidth  = 90
	minWidth      = 40
	defaultHeight = 5
)

// lineColors are assigned to the lines of a panel without a color, in this order.
var lineColors = []Color{Cyan, Yellow, Magenta, Green, Red, Blue}

func (c Chart) complete() Chart {
	if c.Width == 0 {
		c.Width = defaultWidth
	}
	c.Width = max(c.Width, minWidth)
	panels := make([]Panel, len(c.Panels))
	copy(panels, c.Panels)
	c.Panels = panels
	for i := range c.Panels {
		p := &c.Panels[i]
		if p.Height <= 0 {
			p.Height = defaultHeight
		}
		p.Height = max(p.Height, 2)
		p.Lines = append([]Series{}, p.Lines...)
		for k := range p.Lines {
			l := &p.Lines[k]
			if len(p.Lines) > 1 && l.Color == Plain {
				l.Color = lineColors[k%len(lineColors)]
			}
			if n := len(l.Points); n > 0 && c.Span < l.Points[n-1].At {
				c.Span = l.Points[n-1].At
			}
		}
	}
	c.Span = max(c.Span, time.Second)
	return c
}

// peak returns the highest value that is not NaN, or 0.
func (p *Panel) peak() float64 {
	peak := 0.0
	for _, l := range p.Lines {
		for _, q := range l.Points {
			if !math.IsNaN(q.Value) && !math.IsInf(q.Value, 0) {
				peak = max(peak, q.Value)
			}
		}
	}
	return peak
}

// top returns the value at the panel's upper edge. The lower edge is 0.
func (p *Panel) top(steps int) float64 {
	if p.Top > 0 {
		return p.Top
	}
	return niceTop(max(p.peak(), p.Objective*1.05), steps)
}

// heading returns the title with its unit.
func (p *Panel) heading() string {
	if p.Unit == "" {
		return p.Title
	}
	return p.Title + " (" + p.Unit + ")"
}

// color returns the color of the title, which is that of a single line.
func (p *Panel) color() Color {
	if len(p.Lines) == 1 {
		return p.Lines[0].Color
	}
	return Plain
}

// runs returns the parts of the line between gaps as polylines, with values clamped to
// 0 and top. end is the end of the last step.
func (l *Series) runs(top float64, end time.Duration) [][]Point {
	var runs [][]Point
	var run []Point
	flush := func() {
		if len(run) > 0 {
			runs = append(runs, run)
		}
		run = nil
	}
	for _, q := range l.Points {
		if math.IsNaN(q.Value) {
			flush()
			continue
		}
		q.Value = min(max(q.Value, 0), top)
		if n := len(run); l.Step && n > 0 {
			run = append(run, Point{q.At, run[n-1].Value})
		}
		run = append(run, q)
	}
	if n := len(run); l.Step && n > 0 && run[n-1].At < end {
		run = append(run, Point{end, run[n-1].Value})
	}
	flush()
	return runs
}
