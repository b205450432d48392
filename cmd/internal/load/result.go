package load

import (
	"maps"
	"time"
)

// Summary summarizes a part of a run. Latencies are those of successful queries, in
// milliseconds since they were due. They don't include the queries in Errors.
type Summary struct {
	Name         string  `json:"name,omitempty"`
	Seconds      float64 `json:"seconds"`
	TargetRate   float64 `json:"targetRate"`   // mean of the requested queries per second
	OfferedRate  float64 `json:"offeredRate"`  // queries due per second
	AchievedRate float64 `json:"achievedRate"` // successful queries per second
	Count        int     `json:"count"`
	Errors       int     `json:"errors"`
	ErrorRate    float64 `json:"errorRate"`
	P50          float64 `json:"p50Ms"`
	P90          float64 `json:"p90Ms"`
	P99          float64 `json:"p99Ms"`
	Max          float64 `json:"maxMs"`
}

// Result is the result of a run. A query belongs to the phase in which it was due.
type Result struct {
	Phases []Summary `json:"phases"` // those that were reached
	Total  Summary   `json:"total"`
	MaxLag float64   `json:"maxLagMs"` // maximal lateness of the generator, which the latencies include
	LagP99 float64   `json:"lagP99Ms"`
	// Failed counts the failed queries by status.
	Failed map[Status]int `json:"-"`
	// NoReply is the error of the first query without a reply, or "".
	NoReply string `json:"-"`
	// Failures are the first mostFailures failed queries, in the order in which they ended.
	Failures []Failure `json:"-"`
	// Within counts the successful queries within Options.Bound.
	Within int `json:"-"`
	// Elapsed is the time until the last arrival; less than all phases if the run was stopped.
	Elapsed time.Duration `json:"-"`
	// End is the time at which the last query ended, and LastDue the time at which it was due.
	End, LastDue time.Duration `json:"-"`

	total  *latencies
	series series
	phases []Phase
}

// Failure is a failed query.
type Failure struct {
	At      time.Duration // when it was due, since the first phase began
	Latency time.Duration // from then to its end
	Status  Status
}

// mostFailures bounds the memory of failures to a few hundred KB.
const mostFailures = 10_000

// Point is an interval of the run, for a plot.
type Point struct {
	At time.Duration // its beginning
	Summary
	// Answered and Failed are the queries that ended in this interval, per second,
	// regardless of when they were due.
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

// Rank returns the latency with a rank among all queries (1 is the fastest). Failed
// queries rank last; for those it returns false.
func (r *Result) Rank(rank int) (time.Duration, bool) {
	if rank < 1 || rank > r.total.good() {
		return 0, false
	}
	return r.total.atRank(rank), true
}

// Series divides the run into intervals of a length (more than 0). The last one may be
// shorter.
func (r *Result) Series(step time.Duration) []Point {
	n := parts(r.Elapsed, step)
	points := make([]Point, n)
	for i := range points {
		at := time.Duration(i) * step
		to := at + step
		if i == n-1 { // the last interval includes its end
			to = max(to, r.Elapsed+1)
		}
		_, target := phaseAt(r.phases, at+step/2)
		points[i] = r.point(at, to, min(step, r.Elapsed-at), target)
	}
	return points
}

// Tail continues Series until the last query ended.
func (r *Result) Tail(step time.Duration) []Point {
	var points []Point
	for i := parts(r.Elapsed, step); i < parts(r.End, step); i++ {
		at := time.Duration(i) * step
		points = append(points, r.point(at, at+step, step, 0))
	}
	return points
}

// Resolution returns the shortest step for which Series and Between are exact.
func (r *Result) Resolution() time.Duration { return max(r.series.width, finestBin) }

// parts returns the number of steps that cover d.
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

// Between summarizes the queries that were due in [from, to), rounded to bins of the
// series (50 ms in runs of up to 6 minutes).
func (r *Result) Between(from, to time.Duration) Summary {
	if to <= from {
		return Summary{}
	}
	all, _, _ := r.series.within(max(from, 0), to)
	return all.summary(to-from, 0)
}
