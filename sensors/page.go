package sensors

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
)

// point is one sample of a page.
type point struct {
	key   string // its labels, to know it again
	le    float64
	value float64
	at    time.Time
}

// parsePage reads a page of metrics in Prometheus' text format, and returns the
// samples of one name that have the wanted labels.
func parsePage(kind string, body []byte, name string, want map[string]string, at time.Time) ([]point, error) {
	if strings.Contains(kind, "html") || strings.Contains(kind, "json") {
		return nil, fmt.Errorf("answered %s, not a page of metrics", kind)
	}
	if len(bytes.TrimSpace(body)) == 0 {
		return nil, errors.New("answered an empty page")
	}
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("the page of metrics can't be read: %w", err)
	}
	var out []point
	family, suffix := families[name], ""
	if family == nil {
		for _, suffix = range []string{"_bucket", "_count", "_sum"} {
			base, ok := strings.CutSuffix(name, suffix)
			if f := families[base]; ok && f != nil && f.GetType() != dto.MetricType_COUNTER && f.GetType() != dto.MetricType_GAUGE {
				family = f
				break
			}
		}
	}
	if family == nil {
		return nil, nil
	}
	for _, m := range family.GetMetric() {
		for _, s := range samplesOf(family.GetType(), m, suffix) {
			if !hasLabels(s.labels, want) {
				continue
			}
			p := point{key: keyOf(s.labels), le: s.le, value: s.value, at: at}
			if ms := m.GetTimestampMs(); ms != 0 {
				p.at = time.UnixMilli(ms)
			}
			out = append(out, p)
		}
	}
	return out, nil
}

type labelled struct {
	labels []*dto.LabelPair
	le     float64
	value  float64
}

// samplesOf are the numbers that the page shows for a metric, under the suffix.
func samplesOf(kind dto.MetricType, m *dto.Metric, suffix string) []labelled {
	one := func(v float64) []labelled { return []labelled{{labels: m.GetLabel(), value: v}} }
	with := func(name string, bound, v float64) labelled {
		value := strconv.FormatFloat(bound, 'g', -1, 64)
		label := &dto.LabelPair{Name: &name, Value: &value}
		return labelled{labels: append(slices.Clip(m.GetLabel()), label), le: bound, value: v}
	}
	switch kind {
	case dto.MetricType_COUNTER:
		return one(m.GetCounter().GetValue())
	case dto.MetricType_GAUGE:
		return one(m.GetGauge().GetValue())
	case dto.MetricType_UNTYPED:
		return one(m.GetUntyped().GetValue())
	case dto.MetricType_SUMMARY:
		switch suffix {
		case "_count":
			return one(float64(m.GetSummary().GetSampleCount()))
		case "_sum":
			return one(m.GetSummary().GetSampleSum())
		case "":
			var out []labelled
			for _, q := range m.GetSummary().GetQuantile() {
				out = append(out, with("quantile", q.GetQuantile(), q.GetValue()))
			}
			return out
		}
	case dto.MetricType_HISTOGRAM:
		h := m.GetHistogram()
		switch suffix {
		case "_count":
			return one(float64(h.GetSampleCount()))
		case "_sum":
			return one(h.GetSampleSum())
		case "_bucket":
			var out []labelled
			for _, b := range h.GetBucket() {
				out = append(out, with("le", b.GetUpperBound(), float64(b.GetCumulativeCount())))
			}
			if n := len(out); n == 0 || !math.IsInf(out[n-1].le, 1) {
				out = append(out, with("le", math.Inf(1), float64(h.GetSampleCount())))
			}
			return out
		}
	}
	return nil
}

func hasLabels(have []*dto.LabelPair, want map[string]string) bool {
	found := 0
	for _, l := range have {
		if v, ok := want[l.GetName()]; ok {
			if v != l.GetValue() {
				return false
			}
			found++
		}
	}
	return found == len(want)
}

func keyOf(labels []*dto.LabelPair) string {
	pairs := make([]string, len(labels))
	for i, l := range labels {
		pairs[i] = l.GetName() + "\xff" + l.GetValue()
	}
	slices.Sort(pairs)
	return strings.Join(pairs, "\xfe")
}
