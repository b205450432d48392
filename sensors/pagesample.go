package sensors

import (
	"fmt"
	"math"
	"strconv"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
)

// mostAhead is how far ahead of now a sample may be stamped. Prometheus' scrape drops
// what is beyond.
const mostAhead = 10 * time.Minute

// add keeps a sample that is wanted. Of several of one series the first counts, unless
// a later one carries a later time stamp: so does Prometheus' scrape. A classic count
// or sum counts before that of the native histogram of the same name.
//
// It is an error where Prometheus would drop the sample or its page: left out, the
// sample would be missing from a sum without anybody noticing.
func (r *pageReader) add(series labels.Labels, stamp *int64, v float64, native bool) error {
	if !r.want.matches(series) {
		r.other.add(describeLabels(series))
		return nil
	}
	if label, twice := series.HasDuplicateLabelNames(); twice {
		return fmt.Errorf("the sample %s has the label %s twice", clip(series.String()), label)
	}
	p := point{value: v, at: r.at}
	if stamp != nil {
		p.at = time.UnixMilli(*stamp)
		if err := r.timely(p.at, *stamp); err != nil {
			return fmt.Errorf("the sample %s is stamped %w", clip(series.String()), err)
		}
	}
	// The scrape drops labels without a value: they are the same as none.
	series = labels.NewBuilder(series).Labels()
	p.key = string(series.Bytes(nil))
	if r.want.buckets {
		bound, err := strconv.ParseFloat(series.Get(model.BucketLabel), 64)
		if err != nil || math.IsNaN(bound) {
			return fmt.Errorf("the bucket %s has no bound: le must be a number or +Inf", clip(series.String()))
		}
		p.le, p.histogram = bound, string(series.BytesWithoutLabels(nil, model.BucketLabel))
	}

	before, again := r.index[p.key]
	switch wasNative := r.native[p.key]; {
	case !again:
		r.index[p.key] = len(r.points)
		r.points = append(r.points, p)
	case wasNative && !native:
		r.points[before] = p
	case wasNative == native && stamp != nil && p.at.After(r.points[before].at):
		r.points[before] = p
		return nil
	default:
		return nil
	}
	if native && r.native == nil {
		r.native = map[string]bool{}
	}
	if r.native != nil {
		r.native[p.key] = native
	}
	return nil
}

// timely finds a time stamp that no sample can have.
func (r *pageReader) timely(at time.Time, ms int64) error {
	switch {
	case ms < 0:
		return fmt.Errorf("%d ms, which is before 1970", ms)
	case at.After(r.at.Add(mostAhead)):
		return fmt.Errorf("%d ms after 1970, more than 10 minutes ahead of now; a page in text has milliseconds, one in OpenMetrics seconds", ms)
	}
	return nil
}
