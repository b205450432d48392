package memory

import (
	"time"

	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/backoff"
)

// A strategy proposes an act that fails for good (a write that is forbidden, or denied by a
// webhook) at every firing, which would cost an intent, an outcome and a request each time.
// So an equal act waits after a failure, longer each time, until it succeeds or the
// strategy proposes another. This is not a guard: a restart resets it.
var failurePause = backoff.Exponential{First: time.Second, Most: 5 * time.Minute}

// failures counts the consecutive failures of equal acts.
type failures struct {
	count int
	at    time.Time // of the last
}

func (f failures) until() time.Time {
	return f.at.Add(failurePause.After(f.count))
}

// Failures returns how often equal acts failed in a row, and when the next may begin.
func (t *Target) Failures(strategy, verb string, with map[string]any) (count int, until time.Time) {
	f, failed := t.failed[same(strategy, verb, with)]
	if !failed {
		return 0, time.Time{}
	}
	return f.count, f.until()
}

func (t *Target) countFailure(in *engine.Intent, status engine.Status, at time.Time) {
	key := same(in.Strategy, in.Primitive, in.With)
	switch status {
	case engine.Failed:
		if t.failed == nil {
			t.failed = map[string]failures{}
		}
		for other, f := range t.failed { // of acts that are not proposed any more
			if at.After(f.at.Add(2 * failurePause.Most)) {
				delete(t.failed, other)
			}
		}
		t.failed[key] = failures{t.failed[key].count + 1, at}
	case engine.Done, engine.NoOp:
		delete(t.failed, key)
	}
}
