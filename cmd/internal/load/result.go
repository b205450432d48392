package load

import "time"

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
	Phases  []Summary     `json:"phases"` // those that were reached
	Total   Summary       `json:"total"`
	MaxLag  float64       `json:"maxLagMs"` // the generator's own worst lateness; it is in the latencies
	Records []Record      `json:"-"`        // in the order in which they ended
	Elapsed time.Duration `json:"-"`        // up to the last arrival that was due; less than all phases if stopped

	phases []Phase
}

// Point is a stretch of the run, for a plot.
type Point struct {
	At time.Duration // its beginning
	Summary
}

func (l *log) result(phases []Phase, elapsed time.Duration) *Result {
	l.mu.Lock()
	defer l.mu.Unlock()
	r := &Result{MaxLag: ms(l.lag), Records: l.records, Elapsed: elapsed, phases: phases}
	var begin time.Duration
	planned := 0.0
	byPhase := group(l.records, len(phases), func(rec Record) int { return int(rec.Phase) })
	for i, p := range phases {
		d := min(p.Duration, elapsed-begin)
		if d <= 0 {
			break
		}
		s := byPhase[i].summary(d, p.mean(d))
		s.Name = p.Name
		planned += s.TargetRate * s.Seconds
		r.Phases = append(r.Phases, s)
		begin += d
	}
	if elapsed > 0 {
		all := group(l.records, 1, func(Record) int { return 0 })
		r.Total = all[0].summary(elapsed, planned/elapsed.Seconds())
	}
	return r
}

// Series cuts the run into stretches of the given length (more than 0), the last
// one perhaps shorter.
func (r *Result) Series(step time.Duration) []Point {
	n := int((r.Elapsed + step - 1) / step)
	points := make([]Point, n)
	// An arrival due at the very moment of a stop belongs to the last stretch.
	for i, c := range group(r.Records, n, func(rec Record) int { return min(int(rec.At/step), n-1) }) {
		at := time.Duration(i) * step
		_, target := phaseAt(r.phases, at+step/2)
		points[i] = Point{At: at, Summary: c.summary(min(step, r.Elapsed-at), target)}
	}
	return points
}

// counted is the records of one stretch.
type counted struct {
	count int
	good  []time.Duration
}

func group(records []Record, n int, of func(Record) int) []counted {
	out := make([]counted, n)
	for _, rec := range records {
		if n == 0 {
			break
		}
		c := &out[of(rec)]
		c.count++
		if rec.Status.OK() {
			c.good = append(c.good, rec.Latency)
		}
	}
	return out
}

func (c *counted) summary(d time.Duration, target float64) Summary {
	l := sorted(c.good)
	s := Summary{
		Seconds: d.Seconds(), TargetRate: target, Count: c.count, Errors: c.count - len(l),
		OfferedRate: float64(c.count) / d.Seconds(), AchievedRate: float64(len(l)) / d.Seconds(),
		P50: ms(l.at(50)), P90: ms(l.at(90)), P99: ms(l.at(99)), Max: ms(l.at(100)),
	}
	if c.count > 0 {
		s.ErrorRate = float64(s.Errors) / float64(c.count)
	}
	return s
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// Between is what the queries did that were due from one time of the run up to,
// not including, another.
func (r *Result) Between(from, to time.Duration) Summary {
	if to <= from {
		return Summary{}
	}
	within := counted{}
	for _, rec := range r.Records {
		if rec.At < from || rec.At >= to {
			continue
		}
		within.count++
		if rec.Status.OK() {
			within.good = append(within.good, rec.Latency)
		}
	}
	return within.summary(to-from, 0)
}
