package memory

import (
	"time"

	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/backoff"
	"github.com/scanflow-k8s/scanflow/engine/jsonvalue"
)

// A strategy proposes an act that fails for good (a write that is forbidden, or denied by a
// webhook) at every firing, which would cost an intent, an outcome and a request each time.
// So an alike act on the target waits after a failure, longer each time, until one succeeds.
// One that failed late, as its pods did not come up, waits at least as long as it took.
var failurePause = backoff.Exponential{First: time.Second, Most: 5 * time.Minute}

// FailureHorizon is how far back failures count: longer than the pause between two of a row.
const FailureHorizon = 30 * time.Minute

// failureKey identifies acts on one target that are alike, whichever strategy proposes them:
// those of a verb in one direction, or, of a verb without directions, those with equal
// parameters. An act in the other direction, or with other parameters, may be the mend.
type failureKey struct {
	verb      string
	direction engine.Direction
	with      string // canonical; "" with a direction
}

func failureKeyOf(verb string, direction engine.Direction, with map[string]any) failureKey {
	if direction != "" {
		return failureKey{verb: verb, direction: direction}
	}
	return failureKey{verb: verb, with: jsonvalue.Canonical(with)}
}

// Failures are the consecutive failures of alike acts.
type Failures struct {
	Count int
	// Last is the detail of the last.
	Last string
	// Until is when the next may begin.
	Until time.Time
	// Least is the lowest number of replicas that failed to come up; nil where the acts have
	// none. Asked is the number that the last act asked for.
	Least *float64
	Asked float64

	at time.Time // of the last
}

// FailuresOf returns the failures of acts that are alike; the zero value where the last was
// no failure.
func (t *Target) FailuresOf(verb string, direction engine.Direction, with map[string]any) Failures {
	return t.failed[failureKeyOf(verb, direction, with)]
}

func (t *Target) countFailure(in *engine.Intent, out engine.Outcome, at time.Time) {
	key := failureKeyOf(in.Primitive, in.Direction, in.With)
	switch out.Status {
	case engine.Failed:
		if t.failed == nil {
			t.failed = map[failureKey]Failures{}
		}
		for other, f := range t.failed { // of acts that are not proposed any more
			if at.After(f.at.Add(FailureHorizon)) {
				delete(t.failed, other)
			}
		}
		t.failed[key] = t.failed[key].and(in, out, at)
	case engine.Done, engine.NoOp:
		delete(t.failed, key)
	}
}

// and returns the failures with one more.
func (f Failures) and(in *engine.Intent, out engine.Outcome, at time.Time) Failures {
	f.Count++
	f.Last, f.at = out.Detail, at
	late := backoff.Exponential{First: at.Sub(in.At), Most: failurePause.Most}
	f.Until = at.Add(max(failurePause.After(f.Count), late.After(f.Count)))
	if asked, has := jsonvalue.Float(in.With["replicas"]); has {
		if f.Least == nil || asked < *f.Least || in.Ready != nil && float64(*in.Ready) >= *f.Least {
			f.Least = &asked
		}
		f.Asked = asked
	}
	return f
}

// CameUp reports whether so many ready replicas are as many as the last act asked for. Fewer
// prove nothing: a replica that crashes is ready for a part of the time.
func (f Failures) CameUp(ready int) bool { return f.Least != nil && float64(ready) >= f.Asked }

// rewound moves the times to now where they are in the future, after the clock was set back.
func (f Failures) rewound(now time.Time) Failures {
	if ahead := f.at.Sub(now); ahead > 0 {
		f.at, f.Until = now, f.Until.Add(-ahead)
	}
	return f
}
