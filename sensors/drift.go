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
//	ks                 Kolmogorov-Smirnov distance, from 0 to 1; histograms only
//	chi2, p_value      Pearson's chi-square test; absent if there are too few samples for two bins
//	samples            number of samples
//	reference_samples  the same of the reference; absent if the reference is given as shares
//	shares, reference  the two distributions, bin to share; the bins of a histogram by upper bound
//
// If either side has fewer samples than minSamples, the signal is empty: with so few, the
// statistics reflect chance rather than drift, and no policy can take an empty signal for "no
// drift".
type driftSensor struct {
	querier    *querier
	query      string
	match      []labelMatch
	bins       binning
	baseline   driftBaseline
	minSamples float64
	floor      float64
	window     time.Duration
	stale      *staleDetector
}

// driftBaseline is the reference: a query or a fixed distribution.
type driftBaseline struct {
	query    string
	fixed    *distribution
	isShares bool // the distribution is given as shares, not counts
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
		querier: q, query: c.Query, match: sortedMatches(c.Match), bins: binning{label: c.Bins},
		baseline:   driftBaseline{query: c.Reference.Query, isShares: c.Reference.Shares != nil},
		minSamples: float64(c.MinSamples), floor: c.Smoothing, window: queryWindow(c.Query), stale: &staleDetector{staleAfter: env.StaleAfter},
	}
	if s.baseline.query == "" {
		_, bins := c.Reference.bins()
		s.baseline.fixed, _ = s.bins.fixed(bins) // Check has returned its mistakes
	}
	return s, nil
}

// Sample sends one query, and concurrently another one if the reference is a query. See
// staleDetector for further queries.
func (s *driftSensor) Sample(ctx context.Context, at time.Time, fleet []engine.Target) (engine.Reading, error) {
	out, err := s.compare(ctx, s.querier.api, at, fleet)
	if err == nil {
		s.stale.markStale(ctx, s.querier, at, fleet, out, s.compare)
	}
	return out, err
}

// Doubt implements engine.Doubter: it reports that the server ignores staleAfter.
func (s *driftSensor) Doubt(ctx context.Context, at, since time.Time) (problem string, known bool) {
	return s.querier.lookbackProblem(ctx, at, since)
}

func (s *driftSensor) compare(ctx context.Context, api v1.API, at time.Time, fleet []engine.Target) (engine.Reading, error) {
	var current, reference engine.Reading
	var err, referenceErr error
	var both sync.WaitGroup
	if s.baseline.query != "" {
		both.Go(func() { reference, referenceErr = s.distributions(ctx, api, s.baseline.query, at, fleet) })
	}
	current, err = s.distributions(ctx, api, s.query, at, fleet)
	both.Wait()
	if err != nil {
		return nil, err
	}
	if referenceErr != nil {
		return nil, fmt.Errorf("reference: %w", referenceErr)
	}
	for i := range current {
		baseline := engine.Signal{State: engine.OK, Value: s.baseline.fixed}
		if reference != nil {
			baseline = reference[i]
		}
		current[i] = s.signal(current[i], baseline)
	}
	return current, nil
}

// distributions queries the distribution of each target.
func (s *driftSensor) distributions(ctx context.Context, api v1.API, query string, at time.Time, fleet []engine.Target) (engine.Reading, error) {
	answer, err := s.querier.queryInstant(ctx, api, query, at)
	if err != nil {
		return nil, err
	}
	list, err := s.bins.distributions(answer)
	if err != nil {
		return nil, s.querier.queryError(err)
	}
	return s.querier.matchSeries(fleet, list, s.match)
}

// signal compares a target's distribution with its reference.
func (s *driftSensor) signal(now, baseline engine.Signal) engine.Signal {
	if now.State != engine.OK {
		return now
	}
	if baseline.State != engine.OK {
		problem := cmp.Or(baseline.Problem, "no series came")
		return engine.Signal{State: baseline.State, Problem: "reference: " + problem}
	}
	current, reference := now.Value.(*distribution), baseline.Value.(*distribution)
	if n := current.total(); n < s.minSamples {
		return engine.Signal{State: engine.Empty, Problem: s.tooFew("", n)}
	}
	if n := reference.total(); n < s.minSamples && !s.baseline.isShares {
		return engine.Signal{State: engine.Empty, Problem: s.tooFew("reference: ", n)}
	}
	a, b, err := s.bins.align(current, reference)
	if err != nil {
		return engine.Signal{State: engine.Error, Problem: s.querier.client.secrets.redact(err.Error())}
	}
	return engine.Signal{State: engine.OK, Value: s.value(a, b), At: now.At, Window: s.window}
}

func (s *driftSensor) tooFew(whose string, n float64) string {
	return fmt.Sprintf("%s%.0f samples are too few to tell; minSamples is %.0f", whose, n, s.minSamples)
}

// value computes the signal's value. Both distributions have the same bins.
func (s *driftSensor) value(current, reference *distribution) map[string]any {
	c := drift.Compare(current.counts, reference.counts, drift.Options{Ordered: s.bins.ordered(), Exact: s.baseline.isShares, Floor: s.floor})
	out := map[string]any{
		"psi": c.PSI, "js": c.JS, "samples": current.total(), "shares": current.shares(), "reference": reference.shares(),
	}
	if !s.baseline.isShares {
		out["reference_samples"] = reference.total()
	}
	if c.KS != nil {
		out["ks"] = *c.KS
	}
	if c.Chi2 != nil {
		out["chi2"], out["p_value"] = c.Chi2.Statistic, c.Chi2.PValue
	}
	return out
}
