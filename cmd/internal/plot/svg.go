package plot

import (
	"bytes"
	"fmt"
	"io"
	"time"

	imagefont "golang.org/x/image/font"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgsvg"
)

// Lengths, in points.
const (
	pageWidth   = 720
	pageLeft    = 58
	pageRight   = 16
	rightLabel  = 62 // the right margin for the value of an objective
	pageTop     = 10
	titleHeight = 24
	legendRow   = 14
	lineHeight  = 22 // corresponds to a line of a terminal
	leastPanel  = 60
	panelGap    = 12
	axisHeight  = 26
	markRow     = 13
)

// fontFamily lists fallbacks for the font by which text is measured. Arial and
// Helvetica have the same widths.
const fontFamily = "font-family:'Liberation Sans',Arial,Helvetica,sans-serif;"

// page is the state of rendering a chart as SVG.
type page struct {
	Chart
	draw.Canvas
	fonts       *font.Cache
	left, right vg.Length // of the time axis
	marks       []placed
	markRows    int
}

// SVG renders the chart as SVG with the same panels, lines and marks as String. Text is
// not converted to paths. The same chart always gives the same bytes.
func (c Chart) SVG(w io.Writer) error {
	cache, err := fonts()
	if err != nil {
		return fmt.Errorf("plot: read the font: %w", err)
	}
	p := page{Chart: c.complete(), fonts: cache, left: pageLeft, right: pageWidth - pageRight}
	for _, panel := range p.Panels {
		if panel.Objective > 0 {
			p.right = pageWidth - rightLabel
		}
	}
	p.placeMarks()
	height := vg.Length(pageTop + axisHeight + markRow*p.markRows)
	for i := range p.Panels {
		height += p.panelHeight(&p.Panels[i])
	}
	svg := vgsvg.NewWith(vgsvg.UseWH(pageWidth, height))
	p.Canvas = draw.New(svg)
	p.FillPolygon(pageWhite, []vg.Point{{}, {X: pageWidth}, {X: pageWidth, Y: height}, {Y: height}})
	top := height - pageTop
	for i := range p.Panels {
		panel := &p.Panels[i]
		upper := top - titleHeight - p.legendHeight(panel)
		p.title(panel, top)
		if i == 0 {
			upper -= vg.Length(markRow * p.markRows)
			p.markLabels(upper)
		}
		p.panel(panel, upper)
		top = upper - plotHeight(panel) - panelGap
	}
	p.timeAxis(top + panelGap)
	var b bytes.Buffer
	if _, err := svg.WriteTo(&b); err != nil {
		return fmt.Errorf("plot: draw: %w", err)
	}
	_, err = w.Write(bytes.ReplaceAll(b.Bytes(), []byte("font-family:Liberation Sans;"), []byte(fontFamily)))
	return err
}

// panelHeight returns the height of a panel with its title and legend.
func (p *page) panelHeight(panel *Panel) vg.Length {
	return titleHeight + p.legendHeight(panel) + plotHeight(panel) + panelGap
}

func plotHeight(panel *Panel) vg.Length { return vg.Length(max(leastPanel, lineHeight*panel.Height)) }

// x returns the position of a time.
func (p *page) x(at time.Duration) vg.Length {
	return p.left + vg.Length(float64(at)/float64(p.Span))*(p.right-p.left)
}

func (p *page) small(c Color, x, y float64) draw.TextStyle {
	return style(p.fonts, 9, imagefont.WeightNormal, pageColor(c), x, y)
}

// timeAxis draws the labels of the time axis below the last panel.
func (p *page) timeAxis(bottom vg.Length) {
	label := p.small(Grey, -0.5, -1)
	for at := range p.times() {
		p.FillText(label, vg.Point{X: p.x(at), Y: bottom - 5}, timeLabel(at))
	}
}

// times returns the ticks of the time axis.
func (p *page) times() func(yield func(time.Duration) bool) {
	step := timeStep(p.Span, 110)
	return func(yield func(time.Duration) bool) {
		for at := time.Duration(0); at <= p.Span; at += step {
			if !yield(at) {
				return
			}
		}
	}
}
