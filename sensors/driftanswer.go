package sensors

import (
	"fmt"

	"github.com/prometheus/common/model"

	"github.com/scanflow-k8s/scanflow/engine"
)

// distributions puts the series of an answer together that differ in their bin alone.
func (b binning) distributions(answer model.Value) ([]series, error) {
	vector, ok := answer.(model.Vector)
	if !ok || vector == nil {
		return nil, errIncomplete
	}
	groups := map[string]*group{}
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
			g = &group{labels: labels, counts: map[string]float64{}, signal: engine.Signal{State: engine.OK, At: sample.Timestamp.Time()}}
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

// group is what becomes one distribution.
type group struct {
	labels model.Metric
	counts map[string]float64
	signal engine.Signal
}

func (g *group) fail(state engine.State, problem string) {
	if g.signal.State == engine.OK {
		g.signal = engine.Signal{State: state, Problem: problem}
	}
}

func (b binning) add(g *group, sample *model.Sample) {
	value, there := sample.Metric[model.LabelName(b.label)]
	name, err := b.name(string(value))
	v := float64(sample.Value)
	switch {
	case sample.Histogram != nil:
		g.fail(engine.Error, "the answer is a native histogram; drift reads classic ones, by le, and counts by a label")
	case !there:
		g.fail(engine.Error, fmt.Sprintf("the series %s has no label %q; keep it in the query's `by`", sample.Metric, b.label))
	case err != nil:
		g.fail(engine.Error, fmt.Sprintf("%s: %v", b.label, err))
	case bad(sample.Value):
		g.fail(engine.NaN, fmt.Sprintf("the bin %s is %s", name, sample.Value))
	case countable(v) != nil:
		g.fail(engine.Error, fmt.Sprintf("the bin %s %v", name, countable(v)))
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

// finish makes the distribution. Of a histogram each bucket holds those below it too,
// which are taken off; one that counts fewer than a lower one, as happens where the
// increases of both are estimated, holds nothing, as in PromQL's histogram_quantile.
func (b binning) finish(g *group) {
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
