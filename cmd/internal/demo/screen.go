package demo

import (
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/scanflow-k8s/scanflow/cmd/internal/plot"
)

// screen is the terminal: one line at a time, whoever writes it.
type screen struct {
	mu    sync.Mutex
	out   io.Writer
	color bool
	start time.Time // of the load; lines are stamped with the time since
}

func (s *screen) printf(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, _ = fmt.Fprintf(s.out, format+"\n", args...)
}

// clock is the time since the load began, as mm:ss.
func (s *screen) clock(at time.Time) string {
	d := max(0, at.Sub(s.start))
	return fmt.Sprintf("%02d:%02d", int(d.Minutes()), int(d.Seconds())%60)
}

func (s *screen) good(text string) string  { return plot.Paint(s.color, plot.Green, text) }
func (s *screen) dim(text string) string   { return plot.Paint(s.color, plot.Grey, text) }
func (s *screen) alarm(text string) string { return plot.Paint(s.color, plot.Red, text) }
func (s *screen) title(text string) string { return plot.Paint(s.color, plot.Cyan, text) }
