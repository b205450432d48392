package mlperf

import (
	"fmt"
	"math"
	"time"

	"github.com/scanflow-k8s/scanflow/cmd/internal/load"
)

// The minimums of a valid run (inference rules, section "Scenarios").
const (
	minDuration       = 600 * time.Second
	minOfflineSamples = 24_576
)

// percentile is the share of a scenario's queries that must be fast (same table). Offline
// has none.
var percentile = map[load.Scenario]float64{load.Server: 0.99, load.SingleStream: 0.90, load.MultiStream: 0.99}

// Params are the parameters of a run.
type Params struct {
	Scenario load.Scenario
	// Bound is the latency bound; 0 is none.
	Bound time.Duration
	// Varies reports whether the rate of Server changed during the run.
	Varies bool
	// Samples is the number of samples of a query of MultiStream.
	Samples int
	// Interrupted reports whether the run was stopped before its end.
	Interrupted bool
}

// Metric is the performance metric of a scenario.
type Metric struct {
	Name  string   `json:"name"`
	Value *float64 `json:"value"` // null if the run is too short
}

// Latency has percentiles in milliseconds. A percentile is null if that many queries
// failed.
type Latency struct {
	P50 *float64 `json:"p50"`
	P90 *float64 `json:"p90"`
	P99 *float64 `json:"p99"`
}

// Report is the evaluation of a run. As JSON it is the last line of `scanflow load --json`.
type Report struct {
	Scenario   load.Scenario `json:"scenario"`
	BoundMS    *float64      `json:"bound_ms"`
	BoundMet   *bool         `json:"bound_met"` // null without a bound
	Valid      bool          `json:"valid"`
	ScaledDown bool          `json:"scaled_down"` // smaller than the rules require, and so not valid
	// NotValid are the reasons why the run is not valid.
	NotValid     []string       `json:"not_valid_because,omitempty"`
	Metric       Metric         `json:"metric"`
	Queries      int            `json:"queries"`
	Samples      int            `json:"samples"`
	Errors       int            `json:"errors"`
	ErrorsByCode map[string]int `json:"errors_by_code,omitempty"`
	// NoReply is the error of the first query without a reply.
	NoReply string `json:"no_reply_because,omitempty"`
	// LatencyMS is the latency of queries; for Offline, of samples since the start of the run.
	LatencyMS Latency `json:"latency_ms"`
	Seconds   float64 `json:"seconds"`
	Scheduled float64 `json:"scheduled_per_second"`
	Answered  float64 `json:"answered_per_second"`
	// FellBehindMS is the maximal lateness of the generator, if it makes the run invalid.
	FellBehindMS *float64 `json:"fell_behind_ms,omitempty"`
	MaxLagMS     float64  `json:"max_lag_ms"`
	Interrupted  bool     `json:"interrupted,omitempty"`
}

// rank returns the rank of a percentile among n sorted latencies, from 1, as in LoadGen
// (results.cc: sample_latencies[sample_count * percentile]).
func rank(n int, p float64) int { return min(int(float64(n)*p)+1, n) }

// Evaluate applies the rules to a run.
func Evaluate(r *load.Result, params Params) *Report {
	out := &Report{
		Scenario: params.Scenario, Queries: r.Total.Count, Samples: r.Total.Count, Errors: r.Total.Errors,
		Seconds: r.Elapsed.Seconds(), Scheduled: r.Total.OfferedRate, Answered: r.Total.AchievedRate,
		MaxLagMS: r.MaxLag, Interrupted: params.Interrupted, ErrorsByCode: map[string]int{}, NoReply: r.NoReply,
	}
	for status, n := range r.Failed {
		out.ErrorsByCode[status.String()] += n
	}
	n := r.Total.Count
	out.LatencyMS = Latency{P50: at(r, rank(n, 0.50)), P90: at(r, rank(n, 0.90)), P99: at(r, rank(n, 0.99))}
	switch params.Scenario {
	case load.Offline:
		out.Queries = 1
	case load.MultiStream:
		out.Samples = n * params.Samples
	}
	if params.Bound > 0 {
		bound := float64(params.Bound) / float64(time.Millisecond)
		met := n > 0 && r.Within >= rank(n, percentile[params.Scenario])
		out.BoundMS, out.BoundMet = &bound, &met
	}
	if late(r, params.Bound) {
		out.FellBehindMS = &out.MaxLagMS
	}
	out.Metric = metric(r, params)
	out.validate(r, params)
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

// metric returns the scenario's metric (inference rules, "Scenarios", column "Performance
// Metric").
func metric(r *load.Result, params Params) Metric {
	switch params.Scenario {
	case load.SingleStream, load.MultiStream:
		p := percentile[params.Scenario]
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
	// lateShare is the part of the bound by which the generator may be late with one query in
	// a hundred. Without a bound, lateLimit applies.
	lateShare = 0.1
	lateLimit = 10 * time.Millisecond
	// tooLate makes a run invalid if it happens once.
	tooLate = time.Second
)

// late reports whether the generator fell behind its schedule.
func late(r *load.Result, bound time.Duration) bool {
	limit := float64(lateLimit) / float64(time.Millisecond)
	if bound > 0 {
		limit = max(1, lateShare*float64(bound)/float64(time.Millisecond))
	}
	return r.LagP99 > limit || r.MaxLag > float64(tooLate)/float64(time.Millisecond)
}

func (out *Report) validate(r *load.Result, params Params) {
	not := func(format string, args ...any) { out.NotValid = append(out.NotValid, fmt.Sprintf(format, args...)) }
	took := r.Elapsed
	if params.Scenario == load.Offline {
		took = r.End
	}
	if took < minDuration {
		out.ScaledDown = true
		not("it took %.3g s, and %.0f s is the least", math.Floor(took.Seconds()*10)/10, minDuration.Seconds())
	}
	if params.Scenario == load.Offline && r.Total.Count < minOfflineSamples {
		out.ScaledDown = true
		not("it had %d samples, and %d is the least", r.Total.Count, minOfflineSamples)
	}
	if r.Total.Count == 0 {
		not("no query was sent")
	}
	if params.Varies {
		not("the rate changed: MLPerf's Server scenario has one rate")
	}
	if out.Errors > 0 {
		not("%d of %d were not answered", out.Errors, r.Total.Count)
	}
	if out.FellBehindMS != nil {
		not("the generator fell behind by %.0f ms", out.MaxLagMS)
	}
	if params.Interrupted {
		not("it was interrupted")
	}
	out.earlyStopping(r, params, not)
	out.Valid = len(out.NotValid) == 0
}

// earlyStopping applies the criterion. Server needs enough queries for the number that
// exceeded the bound, the stream scenarios enough for one.
func (out *Report) earlyStopping(r *load.Result, params Params, not func(string, ...any)) {
	n, p := r.Total.Count, percentile[params.Scenario]
	switch params.Scenario {
	case load.Server:
		if params.Bound == 0 {
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
