package plot

import (
	"math"
	"time"
)

// steps is the number of intervals of the value axis in a terminal.
func (p *Panel) steps() int {
	if p.Height >= 5 && (p.Height-1)%2 == 0 {
		return 2
	}
	return 1
}

// draw draws a line on a canvas whose width is the chart's time. With sparse n, only
// each n-th dot is drawn, to distinguish lines without colors.
func (p *Panel) draw(l *Series, w int, span time.Duration, sparse int) *canvas {
	c := newCanvas(w, p.Height)
	c.sparse = sparse
	top := p.top(p.steps())
	bottomDot := 4*p.Height - 1
	x := func(at time.Duration) int { return int(math.Round(float64(at) / float64(span) * float64(2*w-1))) }
	y := func(v float64) int { return bottomDot - int(math.Round(v/top*float64(bottomDot))) }
	for _, run := range l.runs(top, span) {
		c.set(x(run[0].At), y(run[0].Value))
		for i := 1; i < len(run); i++ {
			c.line(x(run[i-1].At), y(run[i-1].Value), x(run[i].At), y(run[i].Value))
		}
	}
	return c
}

// drawn holds a panel's dots and the color of each character.
type drawn struct {
	*canvas
	colors []Color
}

// drawAll draws the panel's lines on top of each other, the last one on top.
func (p *Panel) drawAll(w int, span time.Duration) drawn {
	all := drawn{canvas: newCanvas(w, p.Height), colors: make([]Color, w*p.Height)}
	for k := range p.Lines {
		for i, dots := range p.draw(&p.Lines[k], w, span, k+1).dots {
			if dots != 0 {
				all.dots[i] |= dots
				all.colors[i] = p.Lines[k].Color
			}
		}
	}
	return all
}
