package sensors

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
)

// wanted says which samples of a page count.
type wanted struct {
	metric  string // as the manifest has it
	name    string // of the samples
	buckets bool   // of a histogram, for a quantile
	labels  []wantedLabel
}

// wantedLabel is a label with its value. Bounds and quantiles are numbers that
// programs write in several ways: 1, 1.0 and 1e+00 are one.
type wantedLabel struct {
	name, value string
	number      float64
	isNumber    bool
}

func newWanted(c *ScrapeConfig) *wanted {
	w := &wanted{metric: c.Metric, name: c.Metric, buckets: c.Quantile != nil}
	if w.buckets {
		w.name += "_bucket"
	}
	for _, p := range sortedPairs(c.Labels) {
		l := wantedLabel{name: p.label, value: p.field}
		if l.name == model.BucketLabel || l.name == model.QuantileLabel {
			number, err := strconv.ParseFloat(l.value, 64)
			l.number, l.isNumber = number, err == nil
		}
		w.labels = append(w.labels, l)
	}
	return w
}

// matches reports whether a sample has the wanted labels. One that is wanted to be
// empty must not be there, as in Prometheus' matchers.
func (w *wanted) matches(series labels.Labels) bool {
	for _, want := range w.labels {
		have := series.Get(want.name)
		if have == want.value {
			continue
		}
		if number, err := strconv.ParseFloat(have, 64); !want.isNumber || err != nil || number != want.number {
			return false
		}
	}
	return true
}

// text is the wanted labels as a page writes them.
func (w *wanted) text() string {
	pairs := make([]string, len(w.labels))
	for i, l := range w.labels {
		pairs[i] = l.name + "=" + strconv.Quote(l.value)
	}
	return "{" + strings.Join(pairs, ", ") + "}"
}

// complete finds a histogram that lacks the bucket of all observations. Without it
// nobody knows how many lie above the last bound.
func (w *wanted) complete(buckets []point) error {
	whole := map[string]bool{}
	for _, b := range buckets {
		whole[b.histogram] = whole[b.histogram] || math.IsInf(b.le, 1)
	}
	for _, is := range whole {
		if !is {
			return fmt.Errorf("a histogram %s has no bucket le=\"+Inf\", so how many there are is not known", w.metric)
		}
	}
	return nil
}
