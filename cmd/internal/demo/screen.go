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
	out   io.Writer
	color bool
	mu    sync.Mutex
	start time.Time // of the load; lines are stamped with the time since
}

// begin sets the clock to 0 at a time.
func (s *screen) begin(at time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.start = at
}

// began is when the clock was 0.
func (s *screen) began() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.start
}

func (s *screen) printf(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, _ = fmt.Fprintf(s.out, format+"\n", args...)
}

// clock is the time since the load began, as mm:ss.
func (s *screen) clock(at time.Time) string {
	d := max(0, at.Sub(s.began()))
	return fmt.Sprintf("%02d:%02d", int(d.Minutes()), int(d.Seconds())%60)
}

func (s *screen) good(text string) string  { return plot.Paint(s.color, plot.Green, text) }
func (s *screen) dim(text string) string   { return plot.Paint(s.color, plot.Grey, text) }
func (s *screen) alarm(text string) string { return plot.Paint(s.color, plot.Red, text) }
func (s *screen) title(text string) string { return plot.Paint(s.color, plot.Cyan, text) }
