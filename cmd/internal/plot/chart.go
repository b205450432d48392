package plot

import (
	"math"
	"time"
)

// Point is a value at a time since the chart's beginning. A NaN breaks the line.
type Point struct {
	At    time.Duration
	Value float64
}

// Series is one course of values in a panel.
type Series struct {
	// Name is in the legend, which a panel of several lines has.
	Name string
	// Points are in order of time.
	Points []Point
	// Step holds each value until the next, as a number of replicas does; otherwise points are joined.
	Step bool
	// Color tells the lines of a panel apart; those of several that are Plain take one each.
	Color Color
}

// Panel is one quantity over the chart's time.
type Panel struct {
	Title string
	Unit  string // after the title, in brackets
	Lines []Series
	// Height is in lines of a terminal: 5.
	Height int
	// Top is the highest value shown; values above it are drawn at the top edge, and
	// the peak is written beside the title. 0 takes the peak or the Objective, whichever is higher.
	Top float64
	// Objective, if above 0, is drawn as a dashed line.
	Objective float64
}

// Mark names the stretch of time that begins there.
type Mark struct {
	At    time.Duration
	Label string
}

// Chart is panels above one another that share a time axis. String draws it for a
// terminal, SVG for a page.
type Chart struct {
	Width  int           // in columns of a terminal, of the whole chart: 90; at least 40
	Span   time.Duration // from 0; 0 ends at the last point
	Panels []Panel
	Marks  []Mark
	// Color says that the terminal's chart may be coloured; see Colorful.
	Color bool
}

const (
	defaultWidth  = 90
	minWidth      = 40
	defaultHeight = 5
)

// lineColors are given to the lines of a panel that name none, in this order.
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

// peak is the highest value that is a number, 0 where there is none.
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

// top is the value at the panel's upper edge; its lower edge is 0.
func (p *Panel) top(steps int) float64 {
	if p.Top > 0 {
		return p.Top
	}
	return niceTop(max(p.peak(), p.Objective*1.05), steps)
}

// heading is the title with its unit.
func (p *Panel) heading() string {
	if p.Unit == "" {
		return p.Title
	}
	return p.Title + " (" + p.Unit + ")"
}

// color is the title's: that of a line which is alone.
func (p *Panel) color() Color {
	if len(p.Lines) == 1 {
		return p.Lines[0].Color
	}
	return Plain
}

// runs are the line's stretches without a gap, as corners to be joined, with values
// within 0 and top. end is where a line that steps ends.
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
