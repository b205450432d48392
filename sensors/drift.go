package sensors

import (
	"cmp"
	"context"
	"fmt"
	"sync"
	"time"

	v1 "github.com/prometheus/client_golang/api/prometheus/v1"

	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/sensors/drift"
)

// driftSensor compares a distribution with a reference. Its value is an object:
//
//	psi                population stability index, 0 and up
//	js                 Jensen-Shannon distance, base 2, from 0 to 1
//	ks                 Kolmogorov-Smirnov distance, from 0 to 1; of histograms only
//	chi2, p_value      Pearson's chi-square test; absent where there is too little for two bins of it
//	samples            how many were counted
//	reference_samples  the same of the reference; absent where that is shares
//	shares, reference  the two distributions, bin to share; a histogram's bins by their upper bound
//
// With fewer samples than minSamples, of either, the signal is empty: a figure of so
// few says more of chance than of drift, and an empty signal is one that no policy
// can mistake for "no drift".
type driftSensor struct {
	querier    *querier
	query      string
	match      []pair
	bins       binning
	reference  reference
	minSamples float64
	floor      float64
	window     time.Duration
	older      older
}

// reference is what is compared with: a query, or else a fixed distribution.
type reference struct {
	query string
	fixed *distribution
	exact bool // shares, not counts
}

func newDrift(c *DriftConfig, env Env) (engine.Sensor, error) {
	mistakes := c.Check()
	for _, m := range c.Reference.Check() {
		m.Object = "reference"
		mistakes = append(mistakes, m)
	}
	q, err := newQuerier(c.Address, c.access(), env, mistakes)
	if err != nil {
		return nil, err
	}
	s := &driftSensor{
		querier: q, query: c.Query, match: sortedPairs(c.Match), bins: binning{label: c.Bins},
		reference:  reference{query: c.Reference.Query, exact: c.Reference.Shares != nil},
		minSamples: float64(c.MinSamples), floor: c.Smoothing, window: queryWindow(c.Query), older: older{staleAfter: env.StaleAfter},
	}
	if s.reference.query == "" {
		_, bins := c.Reference.bins()
		s.reference.fixed, _ = s.bins.fixed(bins) // Check has told its mistakes
	}
	return s, nil
}

// Sample sends one query, and one more where the reference is a query, both at once; as of
// the sensor prometheus, more where targets have no value and age is judged.
func (s *driftSensor) Sample(ctx context.Context, at time.Time, fleet []engine.Target) (engine.Reading, error) {
	out, err := s.compare(ctx, s.querier.api, at, fleet)
	if err == nil {
		s.older.fill(ctx, s.querier, at, fleet, out, s.compare)
	}
	return out, err
}

// Doubt says that staleAfter has no effect, where the server ignores it.
func (s *driftSensor) Doubt(ctx context.Context, at, since time.Time) (problem string, known bool) {
	return s.querier.doubt(ctx, at, since)
}

func (s *driftSensor) compare(ctx context.Context, api v1.API, at time.Time, fleet []engine.Target) (engine.Reading, error) {
	var current, past engine.Reading
	var err, pastErr error
	var both sync.WaitGroup
	if s.reference.query != "" {
		both.Go(func() { past, pastErr = s.ask(ctx, api, s.reference.query, at, fleet) })
	}
	current, err = s.ask(ctx, api, s.query, at, fleet)
	both.Wait()
	if err != nil {
		return nil, err
	}
	if pastErr != nil {
		return nil, fmt.Errorf("reference: %w", pastErr)
	}
	for i := range current {
		was := engine.Signal{State: engine.OK, Value: s.reference.fixed}
		if past != nil {
			was = past[i]
		}
		current[i] = s.judge(current[i], was)
	}
	return current, nil
}

// ask gives each target the distribution that a query answers for it.
func (s *driftSensor) ask(ctx context.Context, api v1.API, query string, at time.Time, fleet []engine.Target) (engine.Reading, error) {
	answer, err := s.querier.instant(ctx, api, query, at)
	if err != nil {
		return nil, err
	}
	list, err := s.bins.distributions(answer)
	if err != nil {
		return nil, s.querier.fault(err)
	}
	return s.querier.deal(fleet, list, s.match)
}

// judge turns a target's distribution and its reference into the signal.
func (s *driftSensor) judge(now, was engine.Signal) engine.Signal {
	if now.State != engine.OK {
		return now
	}
	if was.State != engine.OK {
		problem := cmp.Or(was.Problem, "no series came")
		return engine.Signal{State: was.State, Problem: "reference: " + problem}
	}
	current, against := now.Value.(*distribution), was.Value.(*distribution)
	if n := current.total(); n < s.minSamples {
		return engine.Signal{State: engine.Empty, Problem: s.tooFew("", n)}
	}
	if n := against.total(); n < s.minSamples && !s.reference.exact {
		return engine.Signal{State: engine.Empty, Problem: s.tooFew("reference: ", n)}
	}
	a, b, err := s.bins.align(current, against)
	if err != nil {
		return engine.Signal{State: engine.Error, Problem: s.querier.client.secrets.blank(err.Error())}
	}
	return engine.Signal{State: engine.OK, Value: s.value(a, b), At: now.At, Window: s.window}
}

func (s *driftSensor) tooFew(whose string, n float64) string {
	return fmt.Sprintf("%s%.0f samples are too few to tell; minSamples is %.0f", whose, n, s.minSamples)
}

// value is what policies see. Both distributions have the same bins.
func (s *driftSensor) value(current, against *distribution) map[string]any {
	c := drift.Compare(current.counts, against.counts, drift.Options{Ordered: s.bins.ordered(), Exact: s.reference.exact, Floor: s.floor})
	out := map[string]any{
		"psi": c.PSI, "js": c.JS, "samples": current.total(), "shares": current.shares(), "reference": against.shares(),
	}
	if !s.reference.exact {
		out["reference_samples"] = against.total()
	}
	if c.KS != nil {
		out["ks"] = *c.KS
	}
	if c.Chi2 != nil {
		out["chi2"], out["p_value"] = c.Chi2.Statistic, c.Chi2.PValue
	}
	return out
}
