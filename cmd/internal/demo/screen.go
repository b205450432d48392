package demo

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/scanflow-k8s/scanflow/cmd/internal/plot"
)

// screen prints lines for concurrent writers.
type screen struct {
	out   io.Writer
	color bool
	mu    sync.Mutex
	start time.Time // of the load; lines are stamped with the time since
}

// setStart sets the time that is printed as 00:00.
func (s *screen) setStart(at time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.start = at
}

// startTime is the time that is printed as 00:00.
func (s *screen) startTime() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.start
}

func (s *screen) printf(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, _ = fmt.Fprintf(s.out, format+"\n", args...)
}

// clock formats the time since the load began as mm:ss.
func (s *screen) clock(at time.Time) string {
	d := max(0, at.Sub(s.startTime()))
	return fmt.Sprintf("%02d:%02d", int(d.Minutes()), int(d.Seconds())%60)
}

func (s *screen) good(text string) string  { return plot.Paint(s.color, plot.Green, text) }
func (s *screen) dim(text string) string   { return plot.Paint(s.color, plot.Grey, text) }
func (s *screen) alarm(text string) string { return plot.Paint(s.color, plot.Red, text) }
func (s *screen) title(text string) string { return plot.Paint(s.color, plot.Cyan, text) }

// shortText truncates a text to its first line and 60 characters.
func shortText(text string) string {
	const most = 60
	line, _, _ := strings.Cut(text, "\n")
	if runes := slices.Collect(strings.SplitSeq(line, "")); len(runes) > most {
		return strings.Join(runes[:most], "") + "..."
	}
	return line
}
