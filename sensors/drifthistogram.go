package sensors

import (
	"fmt"

	"github.com/prometheus/common/model"

	"github.com/scanflow-k8s/scanflow/engine"
)

// distributions groups the series of a result that differ only in their bin.
func (b binning) distributions(answer model.Value) ([]series, error) {
	vector, ok := answer.(model.Vector)
	if !ok || vector == nil {
		return nil, errIncomplete
	}
	groups := map[string]*binGroup{}
	var keys []string
	for _, sample := range vector {
		if sample == nil {
			return nil, errIncomplete
		}
		labels := sample.Metric.Clone()
		delete(labels, model.LabelName(b.label))
		key := labels.String()
		g := groups[key]
		if g == nil {
			g = &binGroup{labels: labels, counts: map[string]float64{}, signal: engine.Signal{State: engine.OK, At: sample.Timestamp.Time()}}
			groups[key] = g
			keys = append(keys, key)
		}
		if sample.Histogram == nil && sample.Timestamp == 0 {
			return nil, errIncomplete
		}
		b.add(g, sample)
	}
	out := make([]series, len(keys))
	for i, key := range keys {
		g := groups[key]
		if g.signal.State == engine.OK {
			b.finish(g)
		}
		out[i] = series{labels: g.labels, signal: g.signal}
	}
	return out, nil
}

// binGroup collects the bins of one distribution.
type binGroup struct {
	labels model.Metric
	counts map[string]float64
	signal engine.Signal
}

func (g *binGroup) fail(state engine.State, problem string) {
	if g.signal.State == engine.OK {
		g.signal = engine.Signal{State: state, Problem: problem}
	}
}

func (b binning) add(g *binGroup, sample *model.Sample) {
	value, ok := sample.Metric[model.LabelName(b.label)]
	name, err := b.name(string(value))
	v := float64(sample.Value)
	switch {
	case sample.Histogram != nil:
		g.fail(engine.Error, "the answer is a native histogram; drift reads classic ones, by le, and counts by a label")
	case !ok:
		g.fail(engine.Error, fmt.Sprintf("the series %s has no label %q; keep it in the query's `by`", sample.Metric, b.label))
	case err != nil:
		g.fail(engine.Error, fmt.Sprintf("%s: %v", b.label, err))
	case notFinite(float64(sample.Value)):
		g.fail(engine.NaN, fmt.Sprintf("the bin %s is %s", name, sample.Value))
	case checkCount(v) != nil:
		g.fail(engine.Error, fmt.Sprintf("the bin %s %v", name, checkCount(v)))
	case hasKey(g.counts, name):
		g.fail(engine.Error, fmt.Sprintf("two series for the bin %s of %s; aggregate the query to one", name, g.labels))
	default:
		g.counts[name] = v
	}
	if len(g.counts) > maxBins {
		g.fail(engine.Error, fmt.Sprintf("%s has more than %d bins by %q", g.labels, maxBins, b.label))
	}
}

func hasKey(m map[string]float64, key string) bool {
	_, ok := m[key]
	return ok
}

// finish computes the distribution of a group. The buckets of a histogram are cumulative, so
// each one is reduced by the one below. A bucket that counts fewer than a lower one, which
// happens with estimated increases, is taken as empty, as in PromQL's histogram_quantile.
func (b binning) finish(g *binGroup) {
	d := b.distribution(g.counts)
	if b.ordered() {
		if last := d.bins[len(d.bins)-1]; last != "+Inf" {
			g.fail(engine.Error, fmt.Sprintf("%s has no bucket le=\"+Inf\", so how many there are is not known", g.labels))
			return
		}
		below := 0.0
		for i, upTo := range d.counts {
			d.counts[i] = max(upTo-below, 0)
			below = max(upTo, below)
		}
	}
	g.signal.Value = d
}
