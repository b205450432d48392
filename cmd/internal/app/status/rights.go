package status

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/kubernetes/agentcr"
	"github.com/scanflow-k8s/scanflow/engine/kubernetes/apiclient"
	"github.com/scanflow-k8s/scanflow/engine/manifest"
)

const (
	// askEvery is the time between two questions for a right that is missing, and so the time
	// until one that was granted counts. Nothing is asked where none is missing.
	askEvery   = 10 * time.Second
	askTimeout = 3 * time.Second
	// mostAsked bounds the rights that are asked for in one round.
	mostAsked = 50
	// forgetAfter is for a cluster where the question itself is forbidden: a right that no
	// request lacked for that long counts as granted.
	forgetAfter = 10 * time.Minute
)

// missing is a right that a request of an agent lacked. It counts from when the API server
// confirmed that, as an admission webhook may deny in the words of RBAC.
type missing struct {
	*apiclient.ForbiddenError
	confirmed bool
	last      time.Time // when a request lacked it last
	asked     time.Time // when the API server was asked last
}

// showMissing takes over the missing rights that the cluster shows, found by an earlier leader.
// They are asked for again.
func (a *agent) showMissing(rights []manifest.MissingRight, now time.Time) {
	for _, right := range rights {
		e := agentcr.ForbiddenError(right)
		a.missing[e.MissingRight()] = &missing{ForbiddenError: e, confirmed: true, last: now}
	}
}

// lostAt records the rights that a firing or an act lacked, unless it began before the spec
// that runs: this one may not need them, and the API server would deny them for ever.
func (r *Reporter) lostAt(at time.Time, a *agent, rights ...engine.RightError) {
	if !at.Before(a.since) {
		r.lost(a, rights...)
	}
}

// lost records the rights that requests of an agent lacked.
func (r *Reporter) lost(a *agent, rights ...engine.RightError) {
	for _, right := range rights {
		var e *apiclient.ForbiddenError
		if !errors.As(right, &e) {
			continue
		}
		key, now := e.MissingRight(), r.Clock.Now()
		if known := a.missing[key]; known != nil {
			known.last = now
			continue
		}
		if len(a.missing) >= mostAsked {
			continue
		}
		a.missing[key] = &missing{ForbiddenError: e, last: now}
		r.wakeUp()
	}
}

// confirmed returns the missing rights that count, in order. all is false where some are not
// confirmed yet.
func (a *agent) confirmed() (out []*apiclient.ForbiddenError, all bool) {
	for _, key := range slices.Sorted(maps.Keys(a.missing)) {
		if m := a.missing[key]; m.confirmed {
			out = append(out, m.ForbiddenError)
		}
	}
	return out, len(out) == len(a.missing)
}

// askForRights asks for each missing right whether it is granted, and reports the agents
// where that changed something.
func (r *Reporter) askForRights(ctx context.Context) {
	wanted := map[string]apiclient.Right{}
	r.mu.Lock()
	for _, a := range r.agents {
		for key, m := range a.missing {
			if !m.confirmed || len(wanted) < mostAsked && r.Clock.Now().Sub(m.asked) >= askEvery {
				wanted[key] = m.Right
			}
		}
	}
	r.mu.Unlock()
	for _, key := range slices.Sorted(maps.Keys(wanted)) {
		one, cancel := context.WithTimeout(ctx, askTimeout)
		granted, err := r.May(one, wanted[key])
		cancel()
		if ctx.Err() != nil {
			return
		}
		r.answered(key, granted, err)
	}
}

// answered takes the answer to whether a right is granted.
func (r *Reporter) answered(key string, granted bool, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, a := range r.agents {
		m := a.missing[key]
		if m == nil {
			continue
		}
		m.asked = r.Clock.Now()
		if err != nil && m.confirmed && !engine.IsRetryable(err) {
			granted = r.Clock.Now().Sub(m.last) > forgetAfter
		} else if err != nil {
			granted = false
		}
		switch {
		case granted:
			delete(a.missing, key)
		case m.confirmed:
			continue
		default:
			m.confirmed = true
		}
		r.report(a)
	}
}
