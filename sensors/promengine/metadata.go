package promengine

import (
	"fmt"
	"math"
	"net/http"
	"slices"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/util/annotations"
)

// The whole of time, in the milliseconds that the database counts in.
var (
	firstTime = time.UnixMilli(math.MinInt64 / 2)
	lastTime  = time.UnixMilli(math.MaxInt64 / 2)
)

// lookup is what the three endpoints about names have in common.
type lookup struct {
	storage.Querier
	from, to time.Time
	limit    int
	matchers [][]*labels.Matcher // one element at least; nil matches all
}

func (a *api) lookup(r *http.Request) (*lookup, *apiError) {
	limit, e1 := limitParam(r)
	from, e2 := timeParam(r, "start", firstTime)
	to, e3 := timeParam(r, "end", lastTime)
	matchers, e4 := a.matchParam(r)
	for _, e := range []*apiError{e1, e2, e3, e4} {
		if e != nil {
			return nil, e
		}
	}
	if len(matchers) == 0 {
		matchers = [][]*labels.Matcher{nil}
	}
	q, err := a.db.Querier(from.UnixMilli(), to.UnixMilli())
	if err != nil {
		return nil, executionError(err)
	}
	return &lookup{Querier: q, from: from, to: to, limit: limit, matchers: matchers}, nil
}

// found closes the querier once the answer is written, since the names live in
// its files.
func (l *lookup) found(names []string, warnings annotations.Annotations) answer {
	slices.Sort(names)
	names = slices.Compact(names)
	if l.limit > 0 && len(names) > l.limit {
		names = names[:l.limit]
		warnings.Add(errTruncated)
	}
	return answer{data: encodeStrings(names), warnings: warnings, release: func() { _ = l.Close() }}
}

func (a *api) labelNames(r *http.Request) (answer, *apiError) {
	l, e := a.lookup(r)
	if e != nil {
		return answer{}, e
	}
	var names []string
	warnings := annotations.New()
	for _, m := range l.matchers {
		some, w, err := l.LabelNames(r.Context(), nil, m...)
		if err != nil {
			return l.found(nil, nil), executionError(err)
		}
		names, _ = append(names, some...), warnings.Merge(w)
	}
	return l.found(names, *warnings), nil
}

func (a *api) labelValues(r *http.Request) (answer, *apiError) {
	name := r.PathValue("name")
	if !model.UTF8Validation.IsValidLabelName(name) {
		return answer{}, &apiError{badData, fmt.Errorf("invalid label name: %q", name)}
	}
	l, e := a.lookup(r)
	if e != nil {
		return answer{}, e
	}
	var values []string
	warnings := annotations.New()
	for _, m := range l.matchers {
		some, w, err := l.LabelValues(r.Context(), name, nil, m...)
		if err != nil {
			return l.found(nil, nil), executionError(err)
		}
		values, _ = append(values, some...), warnings.Merge(w)
	}
	return l.found(values, *warnings), nil
}

func (a *api) series(r *http.Request) (answer, *apiError) {
	if len(r.Form["match[]"]) == 0 {
		return answer{}, &apiError{badData, fmt.Errorf("no match[] parameter provided")}
	}
	l, e := a.lookup(r)
	if e != nil {
		return answer{}, e
	}
	found := answer{release: func() { _ = l.Close() }}
	hints := &storage.SelectHints{Start: l.from.UnixMilli(), End: l.to.UnixMilli(), Func: "series"}
	sets := make([]storage.SeriesSet, 0, len(l.matchers))
	for _, m := range l.matchers {
		sets = append(sets, l.Select(r.Context(), true, hints, m...)) // sorted, as merging needs it
	}
	set := storage.NewMergeSeriesSet(sets, 0, storage.ChainedSeriesMerge)
	var series []labels.Labels
	for set.Next() {
		if l.limit > 0 && len(series) == l.limit {
			found.warnings.Add(errTruncated)
			break
		}
		series = append(series, set.At().Labels())
	}
	if err := set.Err(); err != nil {
		return found, executionError(err)
	}
	found.warnings.Merge(set.Warnings())
	found.data = encodeSeries(series)
	return found, nil
}
