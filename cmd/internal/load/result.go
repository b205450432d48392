package load

import (
	"maps"
	"time"
)

// Summary is what a stretch of a run did. Latencies are of the queries answered as
// they should be, in milliseconds from when each was due; those that were not are
// in Errors: read the two together.
type Summary struct {
	Name         string  `json:"name,omitempty"`
	Seconds      float64 `json:"seconds"`
	TargetRate   float64 `json:"targetRate"`   // queries per second asked for, the mean
	OfferedRate  float64 `json:"offeredRate"`  // queries due per second
	AchievedRate float64 `json:"achievedRate"` // queries answered as they should be, per second
	Count        int     `json:"count"`
	Errors       int     `json:"errors"`
	ErrorRate    float64 `json:"errorRate"`
	P50          float64 `json:"p50Ms"`
	P90          float64 `json:"p90Ms"`
	P99          float64 `json:"p99Ms"`
	Max          float64 `json:"maxMs"`
}

// Result is a run. A query belongs to the phase and the second in which it was due.
type Result struct {
	Phases []Summary `json:"phases"` // those that were reached
	Total  Summary   `json:"total"`
	MaxLag float64   `json:"maxLagMs"` // the generator's own worst lateness; it is in the latencies
	LagP99 float64   `json:"lagP99Ms"`
	// Failed counts the queries not answered as they should be by how they ended.
	Failed map[Status]int `json:"-"`
	// NoReply says why the first query without a reply had none; empty if each had one.
	NoReply string `json:"-"`
	// Failures are the first of them, mostFailures at most, in the order in which they ended.
	Failures []Failure `json:"-"`
	// Within counts the queries answered within Options.Bound.
	Within int `json:"-"`
	// Elapsed is up to the last arrival that was due; less than all phases if stopped.
	Elapsed time.Duration `json:"-"`
	// End is when the last query ended, and LastDue when it was due.
	End, LastDue time.Duration `json:"-"`

	total  *latencies
	series series
	phases []Phase
}

// Failure is a query that was not answered as it should be.
type Failure struct {
	At      time.Duration // when it was due, since the first phase began
	Latency time.Duration // from then to its end
	Status  Status
}

// mostFailures bounds the memory that failures take, to a few hundred KB.
const mostFailures = 10_000

// Point is a stretch of the run, for a plot.
type Point struct {
	At time.Duration // its beginning
	Summary
	// Answered and Failed are the queries that ended in this stretch, per second,
	// whenever they were due.
	Answered, Failed float64
}

func (l *log) result(phases []Phase, elapsed time.Duration) *Result {
	l.mu.Lock()
	defer l.mu.Unlock()
	r := &Result{
		MaxLag: ms(l.lag.max), LagP99: ms(l.lag.at(99)), Failed: maps.Clone(l.statuses), Failures: l.failures, Within: l.within,
		Elapsed: elapsed, End: l.end, LastDue: l.last, total: l.total, series: l.series, phases: phases,
	}
	var begin time.Duration
	planned := 0.0
	for i, p := range phases {
		d := min(p.Duration, elapsed-begin)
		if d <= 0 {
			break
		}
		s := l.phases[i].summary(d, p.mean(d))
		s.Name = p.Name
		planned += s.TargetRate * s.Seconds
		r.Phases = append(r.Phases, s)
		begin += d
	}
	if elapsed > 0 {
		r.Total = l.total.summary(elapsed, planned/elapsed.Seconds())
	}
	return r
}

// Rank is the latency which so many of the queries did not exceed (1 is the fastest). It
// is false where fewer were answered: a query not answered is slower than any.
func (r *Result) Rank(rank int) (time.Duration, bool) {
	if rank < 1 || rank > r.total.good() {
		return 0, false
	}
	return r.total.atRank(rank), true
}

// Series cuts the run into stretches of the given length (more than 0), the last
// one perhaps shorter.
func (r *Result) Series(step time.Duration) []Point {
	n := parts(r.Elapsed, step)
	points := make([]Point, n)
	for i := range points {
		at := time.Duration(i) * step
		to := at + step
		if i == n-1 { // an arrival due at the very moment of a stop belongs to the last stretch
			to = max(to, r.Elapsed+1)
		}
		_, target := phaseAt(r.phases, at+step/2)
		points[i] = r.point(at, to, min(step, r.Elapsed-at), target)
	}
	return points
}

// Tail goes on where Series ends, up to when the last query ended.
func (r *Result) Tail(step time.Duration) []Point {
	var points []Point
	for i := parts(r.Elapsed, step); i < parts(r.End, step); i++ {
		at := time.Duration(i) * step
		points = append(points, r.point(at, at+step, step, 0))
	}
	return points
}

// Resolution is the shortest step for which Series and Between are exact.
func (r *Result) Resolution() time.Duration { return max(r.series.width, finestBin) }

// parts is how many steps it takes to cover d.
func parts(d, step time.Duration) int { return int((d + step - 1) / step) }

func (r *Result) point(from, to, length time.Duration, target float64) Point {
	all, ended, failed := r.series.within(from, to)
	return Point{
		At: from, Summary: all.summary(length, target),
		Answered: float64(ended-failed) / length.Seconds(), Failed: float64(failed) / length.Seconds(),
	}
}

func (l *latencies) summary(d time.Duration, target float64) Summary {
	s := Summary{
		Seconds: d.Seconds(), TargetRate: target, Count: l.count(), Errors: l.errors,
		OfferedRate: float64(l.count()) / d.Seconds(), AchievedRate: float64(l.good()) / d.Seconds(),
		P50: ms(l.at(50)), P90: ms(l.at(90)), P99: ms(l.at(99)), Max: ms(l.max),
	}
	if s.Count > 0 {
		s.ErrorRate = float64(s.Errors) / float64(s.Count)
	}
	return s
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// Between is what the queries did that were due from one time of the run up to,
// not including, another, to within a stretch of the series (50 ms in runs of up to 6 minutes).
func (r *Result) Between(from, to time.Duration) Summary {
	if to <= from {
		return Summary{}
	}
	all, _, _ := r.series.within(max(from, 0), to)
	return all.summary(to-from, 0)
}
