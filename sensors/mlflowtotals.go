package sensors

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/scanflow-k8s/scanflow/engine/mlflow"
)

const (
	// totalsPage is the number of runs that are read again at each sample. Totals are only
	// cached if there are more.
	totalsPage = 500
	// settleDelay bounds the changes of a run after its end, and the difference between the
	// clocks of the clients that log runs.
	settleDelay = 10 * time.Minute
	// maxRunDuration bounds the wait for the end of a run. A process that was killed
	// leaves its run active.
	maxRunDuration = 24 * time.Hour
	// recheckInterval is the interval at which a page of the cached runs is read again. A run that was
	// deleted or changed later, or logged with an old start time, is noticed once all pages
	// have been read.
	recheckInterval = time.Minute
)

// runTotals sums up runs in the order of their start. Those that ended some time ago are added
// once and cached, so that a sample only reads the later ones: the cost of an experiment with
// a hundred thousand runs depends on the last few minutes.
type runTotals struct {
	settled      subtotal
	recheck      subtotal // the same runs, being read again a page at a time
	checkedAt    time.Time
	unsearchable bool // the server can't filter by time, so all runs are read each time
	used         time.Time
}

// subtotal sums up the runs that started until a time.
type subtotal struct {
	until time.Time // zero if there are none
	sum   float64
	runs  int
}

// total returns the sum of a metric over all runs that a search finds, and their number.
func (t *runTotals) total(ctx context.Context, c *mlflow.Client, at time.Time, search mlflow.Search, metric string) (subtotal, error) {
	all, err := t.settled.extend(ctx, c, at, search, metric)
	if isBadRequest(err) && !t.settled.until.IsZero() {
		t.unsearchable, t.settled = true, subtotal{}
		all, err = t.settled.extend(ctx, c, at, search, metric)
	}
	if err != nil {
		return all, err // the next sample continues after the runs that were added
	}
	if t.unsearchable || all.runs <= totalsPage {
		t.settled, t.recheck = subtotal{}, subtotal{}
		return all, nil
	}
	if at.Sub(t.checkedAt) >= recheckInterval {
		t.checkedAt = at
		t.check(ctx, c, at, search, metric)
	}
	return all, nil
}

// check reads the next page of the cached runs again. After the last page, the result replaces
// the cached totals. After an error, the page is read at the next check.
func (t *runTotals) check(ctx context.Context, c *mlflow.Client, at time.Time, search mlflow.Search, metric string) {
	before := t.recheck.runs
	search.Max = totalsPage
	read, err := t.recheck.extend(ctx, c, at, search, metric)
	if err == nil && (read.runs-before < totalsPage || !t.recheck.until.Before(t.settled.until)) {
		t.settled, t.recheck = t.recheck, subtotal{}
	}
}

// extend adds the runs that started later. The subtotal grows up to the first run that may
// still change, even if an error follows.
func (s *subtotal) extend(ctx context.Context, c *mlflow.Client, at time.Time, search mlflow.Search, metric string) (subtotal, error) {
	if !s.until.IsZero() {
		later := fmt.Sprintf("attributes.start_time > %d", s.until.UnixMilli())
		if search.Filter != "" {
			later = search.Filter + " and " + later
		}
		search.Filter = later
	}
	search.OrderBy = []string{"attributes.start_time ASC"}
	all, changing, seen := *s, false, map[string]bool{}
	err := c.EachRun(ctx, search, func(r mlflow.Run) {
		if seen[r.ID] {
			return
		}
		seen[r.ID] = true
		if !changing && r.Start.After(all.until) { // no more runs follow that started at the same time as the previous ones
			*s = all
		}
		changing = changing || !isSettled(&r, at)
		all.sum += r.Metrics[metric]
		all.runs++
		all.until = r.Start
	})
	return all, err
}

// isSettled reports whether a run is not expected to change any more, and no run with an
// earlier start is expected to appear.
func isSettled(r *mlflow.Run, at time.Time) bool {
	ended := !r.End.IsZero() && at.Sub(r.End) > settleDelay
	return at.Sub(r.Start) > settleDelay && (ended || at.Sub(r.Start) > maxRunDuration)
}

func isBadRequest(err error) bool {
	var refused *mlflow.Error
	return errors.As(err, &refused) && refused.HTTPStatus == http.StatusBadRequest
}

// runTotalsCache holds the totals of a sensor by query.
type runTotalsCache struct {
	mu sync.Mutex
	by map[string]*runTotals
}

// get returns the totals of a query. Totals that have not been used for an hour are dropped.
// If the clock was set back, the totals start again: runs may have been taken for settled too
// early.
func (c *runTotalsCache) get(key string, at time.Time) *runTotals {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.by == nil {
		c.by = map[string]*runTotals{}
	}
	for k, t := range c.by {
		if at.Sub(t.used) > time.Hour {
			delete(c.by, k)
		}
	}
	if t := c.by[key]; t == nil || at.Before(t.used) {
		c.by[key] = &runTotals{}
	}
	c.by[key].used = at
	return c.by[key]
}
