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
	// maxBins bounds the bins of a distribution. A label with more values identifies
	// something, instead of classifying it.
	maxBins = 256
	// maxCount is above the value of any real counter of events, and well within the range in
	// which a float64 is exact.
	maxCount = 1e15
)

// distribution is the count of each bin.
type distribution struct {
	bins   []string // ordered by bound, or by name
	counts []float64
}

func (d *distribution) total() float64 {
	sum := 0.0
	for _, n := range d.counts {
		sum += n
	}
	return sum
}

// shares returns the share of each bin, as a JSON object.
func (d *distribution) shares() map[string]any {
	out := make(map[string]any, len(d.bins))
	for i, share := range drift.Shares(d.counts) {
		out[d.bins[i]] = share
	}
	return out
}

// checkCount returns an error for a number that can't be a count.
func checkCount(n float64) error {
	switch {
	case n < 0:
		return fmt.Errorf("is %g, and no count is below 0", n)
	case n > maxCount:
		return fmt.Errorf("is %g, which is too large for a count", n)
	}
	return nil
}

// binning is the label that identifies the bins. With le they are the buckets of a classic
// histogram: cumulative and ordered.
type binning struct{ label string }

func (b binning) ordered() bool { return b.label == model.BucketLabel }

// name returns the canonical name of a bin: the same bound may be written in several ways.
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

// sort sorts the names of bins.
func (b binning) sort(names []string) {
	if !b.ordered() {
		slices.Sort(names)
		return
	}
	bound := func(name string) float64 {
		v, _ := strconv.ParseFloat(name, 64) // name formatted it
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

// fixed returns the distribution in a manifest, whose bins are not cumulative, and the
// mistakes in their names.
func (b binning) fixed(bins map[string]float64) (d *distribution, mistakes []string) {
	named := map[string]float64{}
	for _, value := range slices.Sorted(maps.Keys(bins)) {
		name, err := b.name(value)
		if err != nil {
			mistakes = append(mistakes, err.Error())
			continue
		}
		if _, twice := named[name]; twice {
			mistakes = append(mistakes, fmt.Sprintf("the bin %s is there twice", name))
		}
		named[name] = bins[value]
	}
	return b.distribution(named), mistakes
}

func (b binning) distribution(counts map[string]float64) *distribution {
	d := &distribution{bins: slices.Collect(maps.Keys(counts))}
	b.sort(d.bins)
	for _, name := range d.bins {
		d.counts = append(d.counts, counts[name])
	}
	return d
}

// align gives two distributions the same bins. A missing value of a label counts as 0.
// Histograms must have the same buckets.
func (b binning) align(x, y *distribution) (_, _ *distribution, err error) {
	if slices.Equal(x.bins, y.bins) {
		return x, y, nil
	}
	if b.ordered() {
		return nil, nil, bucketMismatch(x.bins, y.bins)
	}
	xs, ys := map[string]float64{}, map[string]float64{}
	for i, name := range x.bins {
		xs[name], ys[name] = x.counts[i], 0
	}
	for i, name := range y.bins {
		if ys[name] = y.counts[i]; !hasKey(xs, name) {
			xs[name] = 0
		}
	}
	if len(xs) > maxBins {
		return nil, nil, fmt.Errorf("the two have more than %d bins by %q together", maxBins, b.label)
	}
	return b.distribution(xs), b.distribution(ys), nil
}

func bucketMismatch(now, was []string) error {
	lacks := func(in []string) func(string) bool {
		return func(name string) bool { return !slices.Contains(in, name) }
	}
	if i := slices.IndexFunc(now, lacks(was)); i >= 0 {
		return fmt.Errorf("the reference has other buckets: it lacks le=%q", now[i])
	}
	return fmt.Errorf("the reference has other buckets: le=%q is only there", was[slices.IndexFunc(was, lacks(now))])
}
