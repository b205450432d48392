package demo

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/scanflow-k8s/scanflow/cmd/internal/plot"
)

// about is what a scenario says of itself before it begins.
type about struct {
	shows, needs string
	takes        time.Duration
}

// introduce writes it.
func (s *screen) introduce(a about) {
	s.printf("%s  %s", s.title("shows"), strings.ReplaceAll(strings.TrimSpace(a.shows), "\n", "\n       "))
	s.printf("%s  %s", s.title("needs"), a.needs)
	s.printf("%s  about %s\n", s.title("takes"), a.takes.Round(10*time.Second))
}

// tellNext says what there is to do after a run. Keep is whether its folder stays.
func (s *screen) tellNext(o *Options, keep bool, commands ...string) {
	data := filepath.Join(o.Dir, "data")
	if !keep {
		s.printf("\n%s the run's files are removed; with --dir DIR they stay, and DIR/data is the journal:", s.title("Next:"))
		data = "DIR/data"
	} else {
		s.printf("\n%s", s.title("Next:"))
	}
	for _, c := range commands {
		s.printf("  %s", strings.ReplaceAll(c, "DATA", data))
	}
}

// savePlot draws a chart into the file that --plot names, if it names one.
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
