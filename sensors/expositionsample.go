package sensors

import (
	"fmt"
	"math"
	"strconv"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
)

// maxFutureOffset bounds how far in the future a sample's timestamp may be. Prometheus' scrape
// drops samples beyond it.
const maxFutureOffset = 10 * time.Minute

// add keeps a sample if it is selected. Like Prometheus' scrape, it keeps the first of several
// samples of one series, unless a later one has a later timestamp. A classic count or sum
// takes precedence over that of the native histogram of the same name.
//
// It returns an error where Prometheus would drop the sample or the page: an aggregate without
// that sample would be wrong without notice.
func (r *expositionReader) add(series labels.Labels, stamp *int64, v float64, native bool) error {
	if !r.selector.matches(series) {
		r.otherLabels.add(describeLabels(series))
		return nil
	}
	if label, twice := series.HasDuplicateLabelNames(); twice {
		return fmt.Errorf("the sample %s has the label %s twice", clip(series.String()), label)
	}
	p := point{value: v, at: r.at}
	if stamp != nil {
		p.at = time.UnixMilli(*stamp)
		if err := r.checkTimestamp(p.at, *stamp); err != nil {
			return fmt.Errorf("the sample %s is stamped %w", clip(series.String()), err)
		}
	}
	// Like the scrape, drop labels with an empty value: they equal missing ones.
	series = labels.NewBuilder(series).Labels()
	p.key = string(series.Bytes(nil))
	if r.selector.wantBuckets {
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

// checkTimestamp returns an error for a timestamp before 1970 or too far in the future.
func (r *expositionReader) checkTimestamp(at time.Time, ms int64) error {
	switch {
	case ms < 0:
		return fmt.Errorf("%d ms, which is before 1970", ms)
	case at.After(r.at.Add(maxFutureOffset)):
		return fmt.Errorf("%d ms after 1970, more than 10 minutes ahead of now; a page in text has milliseconds, one in OpenMetrics seconds", ms)
	}
	return nil
}
