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

// The range of all timestamps that the database can store.
var (
	firstTime = time.UnixMilli(math.MinInt64 / 2)
	lastTime  = time.UnixMilli(math.MaxInt64 / 2)
)

// metadataQuery holds the common parameters of the three endpoints about labels and series.
type metadataQuery struct {
	storage.Querier
	from, to time.Time
	limit    int
	matchers [][]*labels.Matcher // at least one element; nil matches all
}

func (a *api) openMetadataQuery(r *http.Request) (*metadataQuery, *apiError) {
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
	querier, err := a.db.Querier(from.UnixMilli(), to.UnixMilli())
	if err != nil {
		return nil, executionError(err)
	}
	return &metadataQuery{Querier: querier, from: from, to: to, limit: limit, matchers: matchers}, nil
}

// result closes the querier after the response is written, because the names are in its
// memory-mapped files.
func (q *metadataQuery) result(names []string, warnings annotations.Annotations) apiResult {
	slices.Sort(names)
	names = slices.Compact(names)
	if q.limit > 0 && len(names) > q.limit {
		names = names[:q.limit]
		warnings.Add(errTruncated)
	}
	return apiResult{data: encodeStrings(names), warnings: warnings, release: func() { _ = q.Close() }}
}

func (a *api) labelNames(r *http.Request) (apiResult, *apiError) {
	return a.names(r, func(q *metadataQuery, m []*labels.Matcher) ([]string, annotations.Annotations, error) {
		return q.LabelNames(r.Context(), nil, m...)
	})
}

func (a *api) labelValues(r *http.Request) (apiResult, *apiError) {
	name := r.PathValue("name")
	if !model.UTF8Validation.IsValidLabelName(name) {
		return apiResult{}, &apiError{badData, fmt.Errorf("invalid label name: %q", name)}
	}
	return a.names(r, func(q *metadataQuery, m []*labels.Matcher) ([]string, annotations.Annotations, error) {
		return q.LabelValues(r.Context(), name, nil, m...)
	})
}

// names merges the names that list returns for each set of matchers.
func (a *api) names(r *http.Request, list func(*metadataQuery, []*labels.Matcher) ([]string, annotations.Annotations, error)) (apiResult, *apiError) {
	q, e := a.openMetadataQuery(r)
	if e != nil {
		return apiResult{}, e
	}
	var names []string
	warnings := annotations.New()
	for _, m := range q.matchers {
		some, w, err := list(q, m)
		if err != nil {
			return q.result(nil, nil), executionError(err)
		}
		names, _ = append(names, some...), warnings.Merge(w)
	}
	return q.result(names, *warnings), nil
}

func (a *api) series(r *http.Request) (apiResult, *apiError) {
	if len(r.Form["match[]"]) == 0 {
		return apiResult{}, &apiError{badData, fmt.Errorf("no match[] parameter provided")}
	}
	q, e := a.openMetadataQuery(r)
	if e != nil {
		return apiResult{}, e
	}
	found := apiResult{release: func() { _ = q.Close() }}
	hints := &storage.SelectHints{Start: q.from.UnixMilli(), End: q.to.UnixMilli(), Func: "series"}
	sets := make([]storage.SeriesSet, 0, len(q.matchers))
	for _, m := range q.matchers {
		sets = append(sets, q.Select(r.Context(), true, hints, m...)) // sorted, for the merge
	}
	set := storage.NewMergeSeriesSet(sets, 0, storage.ChainedSeriesMerge)
	var series []labels.Labels
	for set.Next() {
		if q.limit > 0 && len(series) == q.limit {
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
