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
	// tallyPage is how many runs are read anew at every sample: only beyond that is
	// anything remembered of them.
	tallyPage = 500
	// tallyLag is how long after its end a run may still change, and by how much the
	// clocks of those who log runs may differ.
	tallyLag = 10 * time.Minute
	// tallyLongest is how long a run is waited for that does not end: a process that was
	// killed leaves one.
	tallyLongest = 24 * time.Hour
	// tallyCheck is how often a page of what is remembered is read again. A run that was
	// deleted or changed later, or logged with an old time, shows once all have been.
	tallyCheck = time.Minute
)

// tally adds up runs in the order in which they began. Those that ended a while ago
// are added once and remembered, so that a sample asks for the later ones only: an
// experiment of a hundred thousand runs costs what happened in the last minutes.
type tally struct {
	done   subtotal
	again  subtotal // all of it once more, a page at a time
	looked time.Time
	whole  bool // the server can't search by time: all is read each time
	used   time.Time
}

// subtotal is of the runs that began until a moment.
type subtotal struct {
	until time.Time // zero for none
	sum   float64
	runs  int
}

// total is of all runs that a search finds: the sum of a metric, and how many they are.
func (t *tally) total(ctx context.Context, c *mlflow.Client, at time.Time, search mlflow.Search, metric string) (subtotal, error) {
	all, err := t.done.extend(ctx, c, at, search, metric)
	if unsearchable(err) && !t.done.until.IsZero() {
		t.whole, t.done = true, subtotal{}
		all, err = t.done.extend(ctx, c, at, search, metric)
	}
	if err != nil {
		return all, err // what was added so far stays, and the next sample goes on from there
	}
	if t.whole || all.runs <= tallyPage {
		t.done, t.again = subtotal{}, subtotal{}
		return all, nil
	}
	if at.Sub(t.looked) >= tallyCheck {
		t.looked = at
		t.check(ctx, c, at, search, metric)
	}
	return all, nil
}

// check reads a page of what is remembered once more. Having read all of it, it is
// what is remembered from then on. A page that can't be read is read the next time.
func (t *tally) check(ctx context.Context, c *mlflow.Client, at time.Time, search mlflow.Search, metric string) {
	before := t.again.runs
	search.Max = tallyPage
	read, err := t.again.extend(ctx, c, at, search, metric)
	if err == nil && (read.runs-before < tallyPage || !t.again.until.Before(t.done.until)) {
		t.done, t.again = t.again, subtotal{}
	}
}

// extend adds the runs that began later. It remembers those up to the first that may
// still change, also where it fails on the way.
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
		if !changing && r.Start.After(all.until) { // no more come that began with those before
			*s = all
		}
		changing = changing || !settled(&r, at)
		all.sum += r.Metrics[metric]
		all.runs++
		all.until = r.Start
	})
	return all, err
}

// settled tells whether a run is not expected to change any more, nor one to come that
// began before it.
func settled(r *mlflow.Run, at time.Time) bool {
	ended := !r.End.IsZero() && at.Sub(r.End) > tallyLag
	return at.Sub(r.Start) > tallyLag && (ended || at.Sub(r.Start) > tallyLongest)
}

func unsearchable(err error) bool {
	var refused *mlflow.Error
	return errors.As(err, &refused) && refused.HTTPStatus == http.StatusBadRequest
}

// tallies are those of a sensor, one for each question.
type tallies struct {
	mu sync.Mutex
	by map[string]*tally
}

// of is the tally of a question. Those that nobody has asked for long are dropped, and
// those that a clock has settled which was set back since.
func (ts *tallies) of(key string, at time.Time) *tally {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	if ts.by == nil {
		ts.by = map[string]*tally{}
	}
	for k, t := range ts.by {
		if at.Sub(t.used) > time.Hour {
			delete(ts.by, k)
		}
	}
	if t := ts.by[key]; t == nil || at.Before(t.used) {
		ts.by[key] = &tally{}
	}
	ts.by[key].used = at
	return ts.by[key]
}
