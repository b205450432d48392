package demo

import (
	"fmt"
	"math"
	"os"

	"github.com/scanflow-k8s/scanflow/cmd/internal/load"
	"github.com/scanflow-k8s/scanflow/cmd/internal/plot"
)

// savePlot writes a chart to the file of --plot, if it is set.
func (o *Options) savePlot(s *screen, chart plot.Chart) (err error) {
	if o.Plot == "" {
		return nil
	}
	f, err := os.Create(o.Plot)
	if err == nil {
		err = chart.SVG(f)
		if closed := f.Close(); err == nil {
			err = closed
		}
	}
	if err != nil {
		return fmt.Errorf("--plot: %w", err)
	}
	s.printf("\nplot: %s", o.Plot)
	return nil
}

// p99Point is a point's p99; NaN, which leaves a gap in the line, if nothing was answered.
func p99Point(p load.Point) plot.Point {
	if p.Count == p.Errors {
		return plot.Point{At: p.At, Value: math.NaN()}
	}
	return plot.Point{At: p.At, Value: p.P99}
}
