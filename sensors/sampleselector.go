package sensors

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
)

// sampleSelector selects samples of a page by name and labels.
type sampleSelector struct {
	metric      string // as the manifest has it
	name        string // of the samples
	wantBuckets bool   // of a histogram, for a quantile
	labels      []labelSelector
}

// labelSelector selects a label by its value. The labels le and quantile are compared as
// numbers, since programs write them in several ways: 1, 1.0 and 1e+00.
type labelSelector struct {
	name, value string
	number      float64
	isNumber    bool
}

func newSampleSelector(c *ScrapeConfig) *sampleSelector {
	s := &sampleSelector{metric: c.Metric, name: c.Metric, wantBuckets: c.Quantile != nil}
	if s.wantBuckets {
		s.name += "_bucket"
	}
	for _, name := range slices.Sorted(maps.Keys(c.Labels)) {
		l := labelSelector{name: name, value: c.Labels[name]}
		if l.name == model.BucketLabel || l.name == model.QuantileLabel {
			number, err := strconv.ParseFloat(l.value, 64)
			l.number, l.isNumber = number, err == nil
		}
		s.labels = append(s.labels, l)
	}
	return s
}

// matches reports whether a sample has the selected labels. As in Prometheus' matchers, an
// empty value selects samples without the label.
func (s *sampleSelector) matches(series labels.Labels) bool {
	for _, want := range s.labels {
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

// labelText formats the selected labels as a page writes them.
func (s *sampleSelector) labelText() string {
	pairs := make([]string, len(s.labels))
	for i, l := range s.labels {
		pairs[i] = l.name + "=" + strconv.Quote(l.value)
	}
	return "{" + strings.Join(pairs, ", ") + "}"
}

// checkBuckets returns an error if a histogram has no bucket +Inf, which counts all
// observations.
func (s *sampleSelector) checkBuckets(buckets []point) error {
	hasInf := map[string]bool{}
	for _, b := range buckets {
		hasInf[b.histogram] = hasInf[b.histogram] || math.IsInf(b.le, 1)
	}
	for _, has := range hasInf {
		if !has {
			return fmt.Errorf("a histogram %s has no bucket le=\"+Inf\", so how many there are is not known", s.metric)
		}
	}
	return nil
}
