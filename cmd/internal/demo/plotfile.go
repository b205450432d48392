package demo

import (
	"fmt"
	"os"

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
