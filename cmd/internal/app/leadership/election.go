package leadership

import (
	"context"
	"fmt"
	"time"

	"github.com/scanflow-k8s/scanflow/engine/kubernetes/lease"
)

// CheckScope returns an error if another process leads this installation and shard with another
// scope. Such a process must not stand by in silence: it is for the start.
func (l *Leader) CheckScope(ctx context.Context) error {
	if !l.Elect {
		return nil
	}
	o, err := l.leaseOptions()
	if err != nil {
		return err
	}
	return lease.CheckScope(ctx, o)
}

// Election returns the election as last seen; false where there is none, or none yet.
func (l *Leader) Election() (lease.Election, bool) { return l.election.Election() }

// Unled says why nobody leads as far as this process can tell, or why it can't tell; nil where
// somebody leads. A failure counts once it has lasted for the lease's duration: by then the
// leader, if it was this process, has stopped, and any other one may be gone.
func (l *Leader) Unled() error {
	e, begun := l.Election()
	if !begun {
		return nil // the agents are not known yet, which is said elsewhere
	}
	// The clock of the lease, not that of the agents: only it is monotonic.
	now := time.Now()
	at := fmt.Sprintf("lease %s/%s", e.Namespace, e.Name)
	last := "nobody was seen to hold it"
	if e.Holder != "" {
		last = fmt.Sprintf("%s held it, and renewed it %s ago", e.Holder, age(now, e.Renewed))
	}
	switch failure := e.Failure; {
	case e.Conflict != nil:
		return e.Conflict
	case failure != nil && now.Sub(failure.Since) >= e.Duration:
		return fmt.Errorf("%s can't be had since %s (%s), %s: %w; as last seen, %s", at, failure.Since.UTC().Format(time.RFC3339), age(now, failure.Since), failure.Reason, failure.Err, last)
	case failure == nil && e.RenewalAge(now) >= e.Duration:
		return fmt.Errorf("nobody leads by %s for %s: %s", at, e.RenewalAge(now).Round(time.Second), last)
	case failure == nil && e.Holds() && !l.State.Leading() && now.Sub(e.HolderSince) >= e.Duration:
		return fmt.Errorf("this process holds %s for %s and does not lead yet: it opens the ledger", at, age(now, e.HolderSince))
	}
	return nil
}

func age(now, since time.Time) time.Duration { return now.Sub(since).Round(time.Second) }
