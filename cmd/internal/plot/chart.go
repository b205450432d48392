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

// Panel is one quantity over the chart's time.
type Panel struct {
	Title string
	Unit  string // after the title, in brackets
	// Points are in order of time.
	Points []Point
	// Step holds each value until the next, as a number of replicas does; otherwise points are joined.
	Step bool
	// Height is in lines: 5.
	Height int
	// Top is the highest value shown; values above it are drawn at the top edge, and
	// the peak is written beside the title. 0 takes the peak or the Objective, whichever is higher.
	Top float64
	// Objective, if above 0, is drawn as a dashed line.
	Objective float64
	Color     Color
}

// Mark names the stretch of time that begins there.
type Mark struct {
	At    time.Duration
	Label string
}

// Chart is panels above one another that share a time axis.
type Chart struct {
	Width  int           // in columns, of the whole chart: 90; at least 40
	Span   time.Duration // from 0; 0 ends at the last point
	Panels []Panel
	Marks  []Mark
	// Color says that the chart may be coloured; see Colorful.
	Color bool
}

const (
	defaultWidth  = 90
	minWidth      = 40
	defaultHeight = 5
)

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
		if n := len(p.Points); n > 0 && c.Span < p.Points[n-1].At {
			c.Span = p.Points[n-1].At
		}
	}
	c.Span = max(c.Span, time.Second)
	return c
}

// peak is the highest value that is a number, 0 where there is none.
func (p *Panel) peak() float64 {
	peak := 0.0
	for _, q := range p.Points {
		if !math.IsNaN(q.Value) && !math.IsInf(q.Value, 0) {
			peak = max(peak, q.Value)
		}
	}
	return peak
}

// top is the value at the panel's upper edge.
func (p *Panel) top() float64 {
	if p.Top > 0 {
		return p.Top
	}
	return niceTop(max(p.peak(), p.Objective*1.05), p.steps())
}

// steps is how many parts the axis has; a panel's bottom line is 0.
func (p *Panel) steps() int {
	if p.Height >= 5 && (p.Height-1)%2 == 0 {
		return 2
	}
	return 1
}

// draw puts the points on a canvas whose width is the chart's time.
func (p *Panel) draw(w int, span time.Duration) *canvas {
	c := newCanvas(w, p.Height)
	top := p.top()
	bottomDot := 4*p.Height - 1
	x := func(at time.Duration) int { return int(math.Round(float64(at) / float64(span) * float64(2*w-1))) }
	y := func(v float64) int {
		v = min(max(v, 0), top)
		return bottomDot - int(math.Round(v/top*float64(bottomDot)))
	}
	var last *Point
	for i := range p.Points {
		q := &p.Points[i]
		if math.IsNaN(q.Value) {
			last = nil
			continue
		}
		switch {
		case last == nil:
			c.set(x(q.At), y(q.Value))
		case p.Step:
			c.line(x(last.At), y(last.Value), x(q.At), y(last.Value))
			c.line(x(q.At), y(last.Value), x(q.At), y(q.Value))
		default:
			c.line(x(last.At), y(last.Value), x(q.At), y(q.Value))
		}
		last = q
	}
	if p.Step && last != nil {
		c.line(x(last.At), y(last.Value), x(span), y(last.Value))
	}
	return c
}
