package sensors

import (
	"context"
	"errors"
	"fmt"
	"time"

	v1 "github.com/prometheus/client_golang/api/prometheus/v1"
	"github.com/prometheus/common/model"

	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/manifest"
	"github.com/scanflow-k8s/scanflow/engine/mistake"
)

// PrometheusConfig sends one query to a Prometheus server for the whole fleet.
//
// The value is a number. With `by` it is an object from the values of that label to numbers,
// which is not OK if one of them is not. With `range` it is an array of [age, value] pairs, the oldest first,
// with the age in seconds before the sample.
type PrometheusConfig struct {
	Query       string              `json:"query" required:"true" doc:"PromQL whose answer is one number for each target, or one for all"`
	Match       map[string]string   `json:"match,omitempty" doc:"label of the answer: field (namespace, name, kind) or label of the target. Without it, an answer with the labels namespace and deployment goes by these; one number without labels goes to every target"`
	By          string              `json:"by,omitempty" doc:"a label of the answer: the value is an object with a number for each value of that label, at most 1000, like {\"v1\": 3, \"v2\": 0.5}; ok only if every one of them is"`
	Range       *RangeConfig        `json:"range,omitempty" doc:"ask for the past too: the value is an array of [seconds ago, value], the oldest first"`
	Address     string              `json:"address,omitempty" doc:"base URL of the server, instead of the one of --prometheus"`
	BasicAuth   *manifest.BasicAuth `json:"basicAuth,omitempty" doc:"user and password"`
	BearerToken *manifest.Secret    `json:"bearerToken,omitempty" doc:"token sent as Authorization: Bearer"`
	Headers     manifest.Headers    `json:"headers,omitempty" doc:"headers to send, by name: a text, or a reference where it is secret, as in X-Scope-OrgID: team-a"`
	TLS         *TLS                `json:"tls,omitempty" doc:"certificates"`
}

// RangeConfig is the window and the step of a range query.
type RangeConfig struct {
	Window manifest.Duration `json:"window" required:"true" doc:"how far back"`
	Step   manifest.Duration `json:"step" required:"true" doc:"time between two points"`
}

// Check returns a window or a step that Prometheus would refuse.
func (r RangeConfig) Check() (mistakes mistake.Mistakes) {
	if r.Window.Duration <= 0 {
		mistakes.Add("window", "must be positive", "")
	}
	if r.Step.Duration <= 0 {
		mistakes.Add("step", "must be positive", "")
	} else if r.Window.Duration/r.Step.Duration > 11_000 {
		mistakes.Add("step", "gives more than 11,000 points", "make it longer")
	}
	return mistakes
}

// ValueType returns the JSON type of the signal's value.
func (c *PrometheusConfig) ValueType() string {
	switch {
	case c.By != "":
		return "object"
	case c.Range != nil:
		return "array"
	}
	return "number"
}

// ValueSchema returns the JSON Schema of the signal's value if that is an object.
func (c *PrometheusConfig) ValueSchema() map[string]any {
	if c.By == "" {
		return nil
	}
	return mapSchema("number")
}

// MembersBy returns what the members of the value are named by; "" if it has none.
func (c *PrometheusConfig) MembersBy() string { return c.By }

// SecretsTo returns the address that basicAuth, bearerToken and headers are sent to; "" is the
// default server's.
func (c *PrometheusConfig) SecretsTo() string { return c.Address }

func (c *PrometheusConfig) access() access {
	return access{basic: c.BasicAuth, bearer: c.BearerToken, headers: c.Headers, tls: c.TLS, limit: serverBodyLimit}
}

// Check returns mistakes in the query, the address and the labels.
func (c *PrometheusConfig) Check() mistake.Mistakes {
	mistakes := c.access().check()
	if c.Query != "" {
		mistakes = append(mistakes, checkQuery(c.Query)...)
	}
	if c.Address != "" {
		mistakes = append(mistakes, checkServer("address", c.Address)...)
	}
	if c.By != "" {
		mistakes = append(mistakes, c.checkBy()...)
	}
	for _, p := range sortedMatches(c.Match) {
		if !model.UTF8Validation.IsValidLabelName(p.label) || p.field == "" {
			mistakes.Add("match", fmt.Sprintf("%q: %q is not a label and a field", p.label, p.field), "")
		}
	}
	return mistakes
}

func (c *PrometheusConfig) checkBy() (mistakes mistake.Mistakes) {
	if !model.UTF8Validation.IsValidLabelName(c.By) || c.By == model.MetricNameLabel {
		mistakes.Add("by", fmt.Sprintf("%q is not a label of an answer", c.By), "")
	}
	if c.Range != nil {
		mistakes.Add("by", "excludes range", "make a sensor of each")
	}
	if field, is := c.Match[c.By]; is {
		mistakes.Add("by", fmt.Sprintf("%q is in match too, so that each target has one value of it (%s)", c.By, field), "leave it out of one of them")
	}
	if dropped := dropsLabel(c.Query, c.By); dropped != "" {
		mistakes.Add("by", dropped, "keep the label in the query, as "+aggregationBy(c.By)+" does")
	}
	return mistakes
}

type prometheusSensor struct {
	querier     *querier
	query       string
	match       []labelMatch
	by          string
	rangeConfig *RangeConfig
	window      time.Duration
	stale       *staleDetector
	members     *memberMemory
}

func newPrometheus(c *PrometheusConfig, env Env) (engine.Sensor, error) {
	q, err := newQuerier(c.Address, c.access(), env, c.Check())
	if err != nil {
		return nil, err
	}
	s := &prometheusSensor{querier: q, query: c.Query, match: sortedMatches(c.Match), by: c.By, rangeConfig: c.Range, window: queryWindow(c.Query), stale: &staleDetector{staleAfter: env.StaleAfter}, members: &memberMemory{staleAfter: env.StaleAfter}}
	if c.Range != nil {
		s.window += c.Range.Window.Duration
	}
	return s, nil
}

// Sample sends one query, whatever the size of the fleet. See staleDetector for further
// queries.
func (s *prometheusSensor) Sample(ctx context.Context, at time.Time, fleet []engine.Target) (engine.Reading, error) {
	out, err := s.sample(ctx, s.querier.api, at, fleet)
	if err == nil {
		s.stale.markStale(ctx, s.querier, at, fleet, out, s.sample)
		if s.by != "" {
			s.members.markGone(at, fleet, out)
		}
	}
	return out, err
}

// Doubt implements engine.Doubter: it reports that the server ignores staleAfter.
func (s *prometheusSensor) Doubt(ctx context.Context, at, since time.Time) (problem string, known bool) {
	return s.querier.lookbackProblem(ctx, at, since)
}

func (s *prometheusSensor) sample(ctx context.Context, api v1.API, at time.Time, fleet []engine.Target) (engine.Reading, error) {
	var answer model.Value
	var err error
	if s.rangeConfig == nil {
		answer, err = s.querier.queryInstant(ctx, api, s.query, at)
	} else {
		answer, err = s.querier.queryRange(ctx, api, s.query, v1.Range{Start: at.Add(-s.rangeConfig.Window.Duration), End: at, Step: s.rangeConfig.Step.Duration})
	}
	if err != nil {
		return nil, err
	}
	list, err := s.series(at, answer)
	if err != nil {
		return nil, s.querier.queryError(err)
	}
	if s.by != "" {
		return s.querier.redactProblems(matchMembers(fleet, list, s.match, s.by))
	}
	return s.querier.matchSeries(fleet, list, s.match)
}

// series converts a result to signals. It refuses a result of another form than the query asks
// for, since its values would not have the sensor's type.
func (s *prometheusSensor) series(at time.Time, answer model.Value) ([]series, error) {
	_, overTime := answer.(model.Matrix)
	switch {
	case answer == nil:
		return nil, errIncomplete
	case s.rangeConfig == nil && overTime:
		return nil, errors.New("the answer is a matrix, where a query at one instant has a vector or a scalar; is this a Prometheus?")
	case s.rangeConfig != nil && !overTime:
		return nil, fmt.Errorf("the answer is a %s, where a query over a span has a matrix; is this a Prometheus?", answer.Type())
	}
	switch v := answer.(type) {
	case *model.Scalar:
		if v.Timestamp == 0 {
			return nil, errIncomplete
		}
		return []series{{signal: s.signal(v.Value, v.Timestamp)}}, nil
	case model.Vector:
		if v == nil {
			return nil, errIncomplete
		}
		out := make([]series, len(v))
		for i, sample := range v {
			if sample == nil {
				return nil, errIncomplete
			}
			out[i].labels = sample.Metric
			switch {
			case sample.Histogram != nil:
				out[i].signal = engine.Signal{State: engine.Error, Problem: "the answer is a native histogram; take histogram_quantile() or histogram_count() of it"}
			case sample.Timestamp == 0:
				return nil, errIncomplete
			default:
				out[i].signal = s.signal(sample.Value, sample.Timestamp)
			}
		}
		return out, nil
	case model.Matrix:
		if v == nil {
			return nil, errIncomplete
		}
		out := make([]series, len(v))
		for i, stream := range v {
			if stream == nil {
				return nil, errIncomplete
			}
			out[i] = series{labels: stream.Metric, signal: s.rangeSignal(at, stream)}
		}
		return out, nil
	}
	return nil, fmt.Errorf("the answer is a %s, not a number", answer.Type())
}

// errIncomplete is the error for a response that has the right form but lacks a result, which
// would otherwise be decoded as zero.
var errIncomplete = errors.New("the answer has no result where there should be one; is this a Prometheus?")

func (s *prometheusSensor) signal(v model.SampleValue, t model.Time) engine.Signal {
	out := engine.Signal{State: engine.OK, Value: float64(v), At: t.Time(), Window: s.window}
	if notFinite(float64(v)) {
		out.State, out.Value, out.Problem = engine.NaN, nil, "the value is "+v.String()
	}
	return out
}

func (s *prometheusSensor) rangeSignal(at time.Time, stream *model.SampleStream) engine.Signal {
	if len(stream.Histograms) > 0 {
		return engine.Signal{State: engine.Error, Problem: "the answer is a native histogram; take histogram_quantile() or histogram_count() of it"}
	}
	if len(stream.Values) == 0 {
		return engine.Signal{State: engine.Empty}
	}
	out := engine.Signal{State: engine.OK, At: stream.Values[len(stream.Values)-1].Timestamp.Time(), Window: s.window}
	points := make([]any, len(stream.Values))
	for i, p := range stream.Values {
		if notFinite(float64(p.Value)) {
			out.State, out.Problem = engine.NaN, "a value is "+p.Value.String()
			return out
		}
		points[i] = []any{at.Sub(p.Timestamp.Time()).Round(time.Millisecond).Seconds(), float64(p.Value)}
	}
	out.Value = points
	return out
}
