package plot

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// niceTop returns the top of an axis from 0 for values up to v: a round number that
// steps divides evenly.
func niceTop(v float64, steps int) float64 {
	if v <= 0 {
		return float64(steps)
	}
	step := v / float64(steps)
	unit := math.Pow(10, math.Floor(math.Log10(step)))
	for _, m := range []float64{1, 2, 2.5, 5, 10} {
		if m == 2.5 && unit <= 1 {
			continue // a step of 2.5 needs a decimal
		}
		if m*unit*float64(steps) >= v*(1-1e-9) {
			return m * unit * float64(steps)
		}
	}
	return 10 * unit * float64(steps)
}

// number formats a value for an axis.
func number(v float64) string {
	switch {
	case math.Abs(v) >= 1000:
		return grouped(v)
	case math.Abs(v) >= 100 || v == math.Trunc(v):
		return strconv.FormatFloat(v, 'f', 0, 64)
	case math.Abs(v) >= 1:
		return strings.TrimSuffix(strconv.FormatFloat(v, 'f', 1, 64), ".0")
	}
	return strconv.FormatFloat(v, 'g', 2, 64)
}

// grouped formats an integer with commas between thousands.
func grouped(v float64) string {
	text := strconv.FormatFloat(math.Abs(v), 'f', 0, 64)
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	if v < 0 {
		return "-" + text
	}
	return text
}

// timeSteps are the possible distances between ticks of a time axis.
var timeSteps = []time.Duration{
	time.Second, 2 * time.Second, 5 * time.Second, 10 * time.Second, 15 * time.Second, 20 * time.Second, 30 * time.Second,
	time.Minute, 2 * time.Minute, 5 * time.Minute, 10 * time.Minute, 15 * time.Minute, 30 * time.Minute,
	time.Hour, 2 * time.Hour, 3 * time.Hour, 6 * time.Hour, 12 * time.Hour, 24 * time.Hour,
}

// timeStep returns a step with about ten columns between ticks.
func timeStep(span time.Duration, columns int) time.Duration {
	for _, step := range timeSteps {
		if float64(columns)*float64(step)/float64(span) >= 10 {
			return step
		}
	}
	day := 24 * time.Hour
	return max(day, (span/time.Duration(max(1, columns/10))/day+1)*day)
}

// timeLabel formats a time in whole seconds: 40s, 1m30s, 2h, 3d.
func timeLabel(d time.Duration) string {
	if d < time.Second {
		return "0s"
	}
	text := ""
	for _, unit := range []struct {
		name string
		size time.Duration
	}{{"d", 24 * time.Hour}, {"h", time.Hour}, {"m", time.Minute}, {"s", time.Second}} {
		if n := d / unit.size; n > 0 {
			text += fmt.Sprint(int64(n)) + unit.name
			d -= n * unit.size
		}
	}
	return text
}
