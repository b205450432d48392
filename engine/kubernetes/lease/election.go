package lease

import (
	"sync/atomic"
	"time"

	"github.com/scanflow-k8s/scanflow/engine/kubernetes/apiclient"
)

// Election is an election as one process has seen it last. Its times are those of this process's
// clock, with the monotonic reading, so that ages are right whatever the clocks of others say.
type Election struct {
	Namespace, Name string
	Identity        string // of this process
	// Began is when this process began to ask for the lease.
	Began time.Time
	// Holder is who held the lease; "" for nobody. HolderSince is when that was first seen.
	Holder      string
	HolderSince time.Time
	// Renewed is when the holder's last renewal was seen; zero before the first look.
	Renewed time.Time
	// Duration is the time after which a holder that does not renew is replaced.
	Duration time.Duration
	// Failure is why this process can't read, take or renew the lease; nil where it can.
	Failure *Failure
	// Conflict is set while the holder serves another scope.
	Conflict *ScopeError
}

// Failure is a run of failed requests for the lease.
type Failure struct {
	// Since is when the first one failed.
	Since time.Time
	// Reason and Err are of the last one.
	Reason apiclient.Reason
	Err    error
}

// Holds reports whether this process holds the lease.
func (e Election) Holds() bool { return e.Holder == e.Identity && e.Holder != "" }

// RenewalAge returns how long ago a renewal was seen, or how long this process has asked without
// having seen one.
func (e Election) RenewalAge(now time.Time) time.Duration {
	if e.Renewed.IsZero() {
		return now.Sub(e.Began)
	}
	return now.Sub(e.Renewed)
}

// Held reports whether somebody holds the lease and renews it.
func (e Election) Held(now time.Time) bool {
	return e.Holder != "" && e.RenewalAge(now) < e.Duration
}

// State passes an Election on to other goroutines. The zero value is an election that has not
// begun.
type State struct{ last atomic.Pointer[Election] }

// Election returns what was seen last; false before the election has begun.
func (s *State) Election() (Election, bool) {
	if e := s.last.Load(); e != nil {
		return *e, true
	}
	return Election{}, false
}

// change publishes a changed copy. Only the candidate calls it.
func (c *candidate) change(f func(*Election)) {
	f(&c.election)
	published := c.election
	c.o.State.last.Store(&published)
}

// sawHolder records who holds the lease. renewed is zero where no renewal was seen.
func (c *candidate) sawHolder(holder string, renewed, at time.Time, duration time.Duration) {
	c.change(func(e *Election) {
		if e.Holder != holder || e.HolderSince.IsZero() {
			e.Holder, e.HolderSince = holder, at
		}
		if !renewed.IsZero() {
			e.Renewed = renewed
		}
		e.Duration = duration
	})
}

// failed records that a request for the lease failed, and logs it where the reason is new.
func (c *candidate) failed(err error, at time.Time) {
	reason := apiclient.ReasonOf(err)
	before := c.election.Failure
	now := Failure{Since: at, Reason: reason, Err: err}
	if before != nil {
		now.Since = before.Since
	}
	c.change(func(e *Election) { e.Failure = &now })
	if before == nil || before.Reason != reason {
		c.o.Log.Warn("the lease can't be had, and is tried again", "lease", c.o.Name, "namespace", c.o.Namespace, "reason", reason, "since", now.Since.UTC().Format(time.RFC3339), "error", err)
	}
}

// worked records that the API server has answered a request for the lease as it should.
func (c *candidate) worked(at time.Time) {
	before := c.election.Failure
	if before == nil {
		return
	}
	c.change(func(e *Election) { e.Failure = nil })
	c.o.Log.Info("the lease can be asked for again", "lease", c.o.Name, "after", at.Sub(before.Since).Round(time.Second), "reason", before.Reason)
}
