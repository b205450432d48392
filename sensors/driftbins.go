package sensors

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"

	"github.com/prometheus/common/model"

	"github.com/scanflow-k8s/scanflow/sensors/drift"
)

const (
	// maxBins bounds a distribution: what has more is no label of bins but an identity.
	maxBins = 256
	// mostCounted is beyond what any counter of events reaches, and well within what a
	// float64 holds exactly.
	mostCounted = 1e15
)

// distribution is how often each bin was counted.
type distribution struct {
	bins   []string // in the order of their bounds, or of their names
	counts []float64
}

func (d *distribution) total() float64 {
	sum := 0.0
	for _, n := range d.counts {
		sum += n
	}
	return sum
}

// shares are the parts of the whole, as a JSON object.
func (d *distribution) shares() map[string]any {
	out := make(map[string]any, len(d.bins))
	for i, share := range drift.Shares(d.counts) {
		out[d.bins[i]] = share
	}
	return out
}

// countable finds what is no number of samples.
func countable(n float64) error {
	switch {
	case n < 0:
		return fmt.Errorf("is %g, and no count is below 0", n)
	case n > mostCounted:
		return fmt.Errorf("is %g, which is too large for a count", n)
	}
	return nil
}

// binning is the label that tells the bins apart. With le they are the buckets of a
// classic histogram: cumulative, and in order.
type binning struct{ label string }

func (b binning) ordered() bool { return b.label == model.BucketLabel }

// name is a bin's name as values have it: a bound may be written in several ways.
func (b binning) name(value string) (string, error) {
	if !b.ordered() {
		return value, nil
	}
	bound, err := strconv.ParseFloat(value, 64)
	if err != nil || math.IsNaN(bound) {
		return "", fmt.Errorf("%q is not a histogram's bound; write a number or +Inf", value)
	}
	return strconv.FormatFloat(bound, 'g', -1, 64), nil
}

// sort puts the names of bins in order.
func (b binning) sort(names []string) {
	if !b.ordered() {
		slices.Sort(names)
		return
	}
	bound := func(name string) float64 {
		v, _ := strconv.ParseFloat(name, 64) // name() wrote it
		return v
	}
	slices.SortFunc(names, func(x, y string) int {
		switch bx, by := bound(x), bound(y); {
		case bx < by:
			return -1
		case bx > by:
			return 1
		}
		return 0
	})
}

// fixed is the distribution of a manifest, whose bins are not cumulative, and what
// is wrong with their names.
func (b binning) fixed(bins map[string]float64) (d *distribution, wrong []string) {
	named := map[string]float64{}
	for _, value := range slices.Sorted(maps.Keys(bins)) {
		name, err := b.name(value)
		if err != nil {
			wrong = append(wrong, err.Error())
			continue
		}
		if _, twice := named[name]; twice {
			wrong = append(wrong, fmt.Sprintf("the bin %s is there twice", name))
		}
		named[name] = bins[value]
	}
	return b.distribution(named), wrong
}

func (b binning) distribution(counts map[string]float64) *distribution {
	d := &distribution{bins: slices.Collect(maps.Keys(counts))}
	b.sort(d.bins)
	for _, name := range d.bins {
		d.counts = append(d.counts, counts[name])
	}
	return d
}

// align gives two distributions the same bins. A label's value that one of them does
// not have was not counted in it; of histograms both must have the same buckets.
func (b binning) align(x, y *distribution) (_, _ *distribution, err error) {
	if slices.Equal(x.bins, y.bins) {
		return x, y, nil
	}
	if b.ordered() {
		return nil, nil, otherBuckets(x.bins, y.bins)
	}
	here, there := map[string]float64{}, map[string]float64{}
	for i, name := range x.bins {
		here[name], there[name] = x.counts[i], 0
	}
	for i, name := range y.bins {
		if there[name] = y.counts[i]; !hasKey(here, name) {
			here[name] = 0
		}
	}
	if len(here) > maxBins {
		return nil, nil, fmt.Errorf("the two have more than %d bins by %q together", maxBins, b.label)
	}
	return b.distribution(here), b.distribution(there), nil
}

func otherBuckets(now, was []string) error {
	lacks := func(in []string) func(string) bool {
		return func(name string) bool { return !slices.Contains(in, name) }
	}
	if i := slices.IndexFunc(now, lacks(was)); i >= 0 {
		return fmt.Errorf("the reference has other buckets: it lacks le=%q", now[i])
	}
	return fmt.Errorf("the reference has other buckets: le=%q is only there", was[slices.IndexFunc(was, lacks(now))])
}
