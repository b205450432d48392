package load

import (
	"math"
	"math/rand/v2"
	"slices"
	"sort"
	"time"
)

// Trace is a record of real arrivals: either counts by interval, or times.
type Trace struct {
	// Interval is the length of the intervals of Counts; 0 if Times are given.
	Interval time.Duration
	Counts   []float64
	// Times are the arrivals since the start of the trace, sorted.
	Times []time.Duration
	// Unread are the columns besides Times.
	Unread []string

	rate, time float64 // scales; 0 means 1
}

// Scaled returns the trace with its rates and its time multiplied independently: half
// the time at the same rate has half as many requests.
func (t *Trace) Scaled(rate, time float64) *Trace {
	scaled := *t
	scaled.rate, scaled.time = t.rateScale()*rate, t.timeScale()*time
	return &scaled
}

func (t *Trace) rateScale() float64 { return orOne(t.rate) }
func (t *Trace) timeScale() float64 { return orOne(t.time) }

func orOne(v float64) float64 {
	if v == 0 {
		return 1
	}
	return v
}

// Span returns the scaled duration of the trace. A list of arrivals ends a nanosecond
// after the last one.
func (t *Trace) Span() time.Duration {
	if t.Interval > 0 {
		return scale(time.Duration(len(t.Counts))*t.Interval, t.timeScale())
	}
	if n := len(t.Times); n > 0 {
		return scale(t.Times[n-1], t.timeScale()) + 1
	}
	return 0
}

func scale(d time.Duration, by float64) time.Duration {
	if by == 1 {
		return d
	}
	return time.Duration(math.Round(float64(d) * by))
}

// Phase returns a phase that replays the first d of the trace; 0 replays all of it.
func (t *Trace) Phase(name string, d time.Duration) Phase {
	if span := t.Span(); d <= 0 || d > span {
		d = span
	}
	return Phase{Name: name, Duration: d, Shape: Traced, trace: t}
}

// Requests returns the number of requests in the first d of the scaled trace.
func (t *Trace) Requests(d time.Duration) float64 {
	share := t.rateScale() * t.timeScale()
	if t.Interval == 0 {
		return float64(sort.Search(len(t.Times), func(i int) bool { return scale(t.Times[i], t.timeScale()) >= d })) * share
	}
	interval := t.interval()
	whole := min(int(float64(d)/interval), len(t.Counts))
	sum := 0.0
	for _, c := range t.Counts[:whole] {
		sum += c
	}
	if rest := float64(d) - float64(whole)*interval; whole < len(t.Counts) && rest > 0 {
		sum += t.Counts[whole] * rest / interval
	}
	return sum * share
}

// Peak returns the maximum of requests in a second of the scaled trace. It is at least
// the number of copies of an arrival.
func (t *Trace) Peak() float64 {
	if t.Interval > 0 && len(t.Counts) > 0 {
		return slices.Max(t.Counts) * t.rateScale() / t.Interval.Seconds()
	}
	most, from := 0, 0
	for i, at := range t.Times {
		for at-t.Times[from] >= time.Second {
			from++
		}
		most = max(most, i-from+1)
	}
	return t.rateScale() * max(float64(most), t.timeScale())
}

// interval returns the scaled interval, in nanoseconds.
func (t *Trace) interval() float64 { return float64(t.Interval) * t.timeScale() }

func (t *Trace) mean(d time.Duration) float64 { return t.Requests(d) / d.Seconds() }

// rateAt returns the rate of the interval at a time, or for a list of arrivals that of
// the second around it.
func (t *Trace) rateAt(at time.Duration) float64 {
	if t.Interval > 0 {
		i := int(float64(at) / t.interval())
		if at < 0 || i >= len(t.Counts) {
			return 0
		}
		return t.Counts[i] * t.rateScale() / t.Interval.Seconds()
	}
	from := max(0, at-time.Second/2)
	return t.Requests(from+time.Second) - t.Requests(from)
}

// tracedArrivals generates the arrivals of a trace. Arrivals in an interval of a known
// count are uniformly random, which is a Poisson process conditioned on the count.
type tracedArrivals struct {
	trace    *Trace
	rng      *rand.Rand
	at       int             // index of Counts or Times
	owed     float64         // the remainder from rounding the counts
	buffered []time.Duration // arrivals of the interval, or copies of one arrival
}

func (a *tracedArrivals) next() (time.Duration, bool) {
	for len(a.buffered) == 0 {
		if a.trace.Interval > 0 && a.at < len(a.trace.Counts) {
			a.fillInterval()
		} else if a.trace.Interval == 0 && a.at < len(a.trace.Times) {
			a.fillCopies()
		} else {
			return 0, false
		}
		a.at++
	}
	t := a.buffered[0]
	a.buffered = a.buffered[1:]
	return t, true
}

func (a *tracedArrivals) fillInterval() {
	t := a.trace
	a.owed += t.Counts[a.at] * t.rateScale() * t.timeScale()
	n := math.Floor(a.owed + 1e-9)
	a.owed -= n
	begin, interval := float64(a.at)*t.interval(), t.interval()
	a.buffered = a.buffered[:0]
	for range int(n) {
		a.buffered = append(a.buffered, time.Duration(begin+a.rng.Float64()*interval))
	}
	slices.Sort(a.buffered)
}

// fillCopies buffers copies of the next arrivals according to the scales: a factor below
// one drops some at random, one above repeats some.
func (a *tracedArrivals) fillCopies() {
	t := a.trace
	share := t.rateScale() * t.timeScale()
	n := int(share)
	if rest := share - float64(n); rest > 1e-9 && a.rng.Float64() < rest {
		n++
	}
	a.buffered = a.buffered[:0]
	for range n {
		a.buffered = append(a.buffered, scale(t.Times[a.at], t.timeScale()))
	}
}
