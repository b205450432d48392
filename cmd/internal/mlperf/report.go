package mlperf

import (
	"fmt"
	"math"
	"time"

	"github.com/scanflow-k8s/scanflow/cmd/internal/load"
)

// What a valid run has at the least (inference rules, section "Scenarios").
const (
	minDuration       = 600 * time.Second
	minOfflineSamples = 24_576
)

// percentile is the share of a scenario's queries that must be fast (the same table);
// Offline has none.
var percentile = map[load.Scenario]float64{load.Server: 0.99, load.SingleStream: 0.90, load.MultiStream: 0.99}

// Asked holds the parameters of a run.
type Asked struct {
	Scenario load.Scenario
	// Bound is the latency bound; 0 is none.
	Bound time.Duration
	// Varies says that Server's rate was not one for the whole run.
	Varies bool
	// Samples is how many each query of MultiStream has.
	Samples int
	// Interrupted says that the run was stopped before its end.
	Interrupted bool
}

// Metric is the figure by which MLPerf compares systems of a scenario.
type Metric struct {
	Name  string   `json:"name"`
	Value *float64 `json:"value"` // null where the run does not tell
}

// Latency has percentiles in milliseconds; null is beyond every bound: so many were not answered.
type Latency struct {
	P50 *float64 `json:"p50"`
	P90 *float64 `json:"p90"`
	P99 *float64 `json:"p99"`
}

// Report is a run, judged. As JSON it is the last line of `scanflow load --json`.
type Report struct {
	Scenario   load.Scenario `json:"scenario"`
	BoundMS    *float64      `json:"bound_ms"`
	BoundMet   *bool         `json:"bound_met"` // null without a bound
	Valid      bool          `json:"valid"`
	ScaledDown bool          `json:"scaled_down"` // smaller than the rules ask for, and so not valid
	// NotValid says why the run is not valid.
	NotValid     []string       `json:"not_valid_because,omitempty"`
	Metric       Metric         `json:"metric"`
	Queries      int            `json:"queries"`
	Samples      int            `json:"samples"`
	Errors       int            `json:"errors"`
	ErrorsByCode map[string]int `json:"errors_by_code,omitempty"`
	// NoReply says why the first query that had no reply had none.
	NoReply string `json:"no_reply_because,omitempty"`
	// LatencyMS is of queries; of Offline, of samples since the run began.
	LatencyMS Latency `json:"latency_ms"`
	Seconds   float64 `json:"seconds"`
	Scheduled float64 `json:"scheduled_per_second"`
	Answered  float64 `json:"answered_per_second"`
	// FellBehindMS is how late the generator sent at the worst, where that spoils the run.
	FellBehindMS *float64 `json:"fell_behind_ms,omitempty"`
	MaxLagMS     float64  `json:"max_lag_ms"`
	Interrupted  bool     `json:"interrupted,omitempty"`
}

// rank is the place of a percentile among n sorted latencies, from 1, as LoadGen takes it
// (results.cc: sample_latencies[sample_count * percentile]).
func rank(n int, p float64) int { return min(int(float64(n)*p)+1, n) }

// Judge applies the rules to a run.
func Judge(r *load.Result, asked Asked) *Report {
	out := &Report{
		Scenario: asked.Scenario, Queries: r.Total.Count, Samples: r.Total.Count, Errors: r.Total.Errors,
		Seconds: r.Elapsed.Seconds(), Scheduled: r.Total.OfferedRate, Answered: r.Total.AchievedRate,
		MaxLagMS: r.MaxLag, Interrupted: asked.Interrupted, ErrorsByCode: map[string]int{}, NoReply: r.NoReply,
	}
	for status, n := range r.Failed {
		out.ErrorsByCode[status.String()] += n
	}
	n := r.Total.Count
	out.LatencyMS = Latency{P50: at(r, rank(n, 0.50)), P90: at(r, rank(n, 0.90)), P99: at(r, rank(n, 0.99))}
	switch asked.Scenario {
	case load.Offline:
		out.Queries = 1
	case load.MultiStream:
		out.Samples = n * asked.Samples
	}
	if asked.Bound > 0 {
		bound := float64(asked.Bound) / float64(time.Millisecond)
		met := n > 0 && r.Within >= rank(n, percentile[asked.Scenario])
		out.BoundMS, out.BoundMet = &bound, &met
	}
	if late(r, asked.Bound) {
		out.FellBehindMS = &out.MaxLagMS
	}
	out.Metric = metric(r, asked)
	out.validate(r, asked)
	return out
}

func at(r *load.Result, rank int) *float64 {
	d, ok := r.Rank(rank)
	if !ok {
		return nil
	}
	v := float64(d) / float64(time.Millisecond)
	return &v
}

// metric is the scenario's (inference rules, "Scenarios", column "Performance Metric").
func metric(r *load.Result, asked Asked) Metric {
	switch asked.Scenario {
	case load.SingleStream, load.MultiStream:
		p := percentile[asked.Scenario]
		m := Metric{Name: fmt.Sprintf("early_stopping_latency_p%.0f_ms", 100*p)}
		if over, ok := maxOver(r.Total.Count, p); ok {
			m.Value = at(r, r.Total.Count-over+1)
		}
		return m
	case load.Offline:
		v := 0.0
		if r.End > 0 {
			v = float64(r.Total.Count-r.Total.Errors) / r.End.Seconds()
		}
		return Metric{Name: "samples_per_second", Value: &v}
	}
	v := r.Total.OfferedRate
	return Metric{Name: "scheduled_samples_per_second", Value: &v}
}

const (
	// lateShare is the part of the bound by which the generator may be late itself with one
	// query in a hundred, and lateLimit that where there is no bound.
	lateShare = 0.1
	lateLimit = 10 * time.Millisecond
	// tooLate spoils a run however seldom.
	tooLate = time.Second
)

// late reports whether the generator did not keep up with its own schedule.
func late(r *load.Result, bound time.Duration) bool {
	limit := float64(lateLimit) / float64(time.Millisecond)
	if bound > 0 {
		limit = max(1, lateShare*float64(bound)/float64(time.Millisecond))
	}
	return r.LagP99 > limit || r.MaxLag > float64(tooLate)/float64(time.Millisecond)
}

func (out *Report) validate(r *load.Result, asked Asked) {
	not := func(format string, args ...any) { out.NotValid = append(out.NotValid, fmt.Sprintf(format, args...)) }
	took := r.Elapsed
	if asked.Scenario == load.Offline {
		took = r.End
	}
	if took < minDuration {
		out.ScaledDown = true
		not("it took %.3g s, and %.0f s is the least", math.Floor(took.Seconds()*10)/10, minDuration.Seconds())
	}
	if asked.Scenario == load.Offline && r.Total.Count < minOfflineSamples {
		out.ScaledDown = true
		not("it had %d samples, and %d is the least", r.Total.Count, minOfflineSamples)
	}
	if r.Total.Count == 0 {
		not("no query was sent")
	}
	if asked.Varies {
		not("the rate changed: MLPerf's Server scenario has one rate")
	}
	if out.Errors > 0 {
		not("%d of %d were not answered", out.Errors, r.Total.Count)
	}
	if out.FellBehindMS != nil {
		not("the generator fell behind by %.0f ms", out.MaxLagMS)
	}
	if asked.Interrupted {
		not("it was interrupted")
	}
	out.earlyStopping(r, asked, not)
	out.Valid = len(out.NotValid) == 0
}

// earlyStopping applies the criterion: Server needs enough queries for those that were over
// the bound, the streams enough for one.
func (out *Report) earlyStopping(r *load.Result, asked Asked, not func(string, ...any)) {
	n, p := r.Total.Count, percentile[asked.Scenario]
	switch asked.Scenario {
	case load.Server:
		if asked.Bound == 0 {
			not("it had no latency bound")
			return
		}
		if !*out.BoundMet {
			not("the bound was not met")
			return
		}
		over := n - r.Within
		if least := MinQueries(over, p); n < least {
			not("early stopping: %d of %d queries were over the bound, which takes at least %d queries", over, n, least)
		}
	case load.SingleStream, load.MultiStream:
		if least := MinQueries(1, p); n < least {
			not("early stopping: it had %d queries, and %d is the least", n, least)
		}
	}
}
