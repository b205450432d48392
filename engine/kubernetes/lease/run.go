package lease

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	coordination "k8s.io/client-go/kubernetes/typed/coordination/v1"

	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/kubernetes/apiclient"
)

// Run campaigns for the lease until ctx ends, and then returns nil. While this process leads, it
// calls lead, whose context ends when the leadership is lost or ctx has ended. In the second case
// Run holds the lease until lead has returned and then releases it, so that another process
// acquires it within its Retry.
//
// fence returns nil while this process may write; see the package. It stays open while lead shuts
// down after the end of ctx. lead must return soon after its context has ended. If it returns
// earlier, with or without an error, the lease is released too, and Run campaigns again after a
// pause.
//
// The error is a mistake in the options. All other errors are logged and retried.
func Run(ctx context.Context, o Options, lead func(ctx context.Context, fence func() error) error) error {
	o, err := o.withDefaults()
	if err != nil {
		return err
	}
	client, err := coordination.NewForConfig(o.Client.Config)
	if err != nil {
		return fmt.Errorf("connect to the Kubernetes API server: %w", err)
	}
	var random [4]byte
	if _, err := rand.Read(random[:]); err != nil {
		return fmt.Errorf("draw an identity: %w", err)
	}
	c := &candidate{o: o, identity: o.Identity + "_" + hex.EncodeToString(random[:]), now: time.Now}
	c.leases = client.Leases(o.Namespace)
	c.change(func(e *Election) {
		*e = Election{Namespace: o.Namespace, Name: o.Name, Identity: c.identity, Began: c.now(), Duration: o.Duration}
	})
	for {
		renewed, won := c.campaign(ctx)
		if !won {
			return nil
		}
		c.lead(ctx, renewed, lead)
		if !engine.Sleep(ctx, engine.WallClock{}, o.Retry) {
			return nil
		}
	}
}

// candidate is this process in an election. It is used by one goroutine at a time.
type candidate struct {
	o        Options
	identity string
	leases   coordination.LeaseInterface
	now      func() time.Time

	held       *coordinationv1.Lease // as last written by us
	version    string                // resourceVersion of another's Lease
	seen       time.Time             // when that version was first seen
	lastLeader string                // the leader that was last logged
	election   Election              // as last published
}

// campaign tries to acquire the lease until it succeeds, and returns the time of its request.
func (c *candidate) campaign(ctx context.Context) (time.Time, bool) {
	c.version = ""
	for ctx.Err() == nil {
		at, won, err := c.tryAcquire(ctx)
		switch {
		case won:
			c.worked(at)
			return at, true
		case ctx.Err() != nil:
		case err != nil:
			c.failed(err, at)
		default:
			c.worked(at)
		}
		if !engine.Sleep(ctx, engine.WallClock{}, c.o.Retry) {
			break
		}
	}
	return time.Time{}, false
}

// tryAcquire takes the lease if it does not exist, was released, or has not changed for its
// duration since we first saw its current version.
func (c *candidate) tryAcquire(ctx context.Context) (time.Time, bool, error) {
	ctx, cancel := context.WithTimeout(ctx, c.o.Renew/2)
	defer cancel()
	there, err := c.leases.Get(ctx, c.o.Name, metav1.GetOptions{})
	at := c.now()
	switch {
	case apierrors.IsNotFound(err):
		c.sawHolder("", time.Time{}, at, c.o.Duration)
		fresh := &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Name: c.o.Name}}
		c.setHolder(fresh, at)
		c.held, err = c.leases.Create(ctx, fresh, metav1.CreateOptions{})
	case err != nil:
	default:
		c.saw(there, at)
		if c.heldByOther(there, at) {
			return at, false, nil
		}
		c.setHolder(there, at)
		transitions := *cmp.Or(there.Spec.LeaseTransitions, new(int32)) + 1
		there.Spec.LeaseTransitions = &transitions
		c.held, err = c.leases.Update(ctx, there, metav1.UpdateOptions{})
	}
	switch {
	case apierrors.IsConflict(err) || apierrors.IsAlreadyExists(err): // another was faster
		return at, false, nil
	case err != nil:
		return at, false, apiclient.Classify(fmt.Errorf("take lease %s/%s: %w", c.o.Namespace, c.o.Name, err))
	}
	return at, true, nil
}

// saw takes note of another process's Lease.
func (c *candidate) saw(there *coordinationv1.Lease, at time.Time) {
	renewed := time.Time{}
	if there.ResourceVersion != c.version {
		c.version, c.seen, renewed = there.ResourceVersion, at, at
	}
	holder := holderOf(there)
	if holder == "" {
		renewed = time.Time{} // a release is no renewal
	}
	c.election.Conflict = c.judgeHolder(there, holder) // published with the holder
	c.sawHolder(holder, renewed, at, cmp.Or(durationOf(there), c.o.Duration))
}

// judgeHolder returns the conflict with another holder's scope, nil where there is none, and
// logs a holder that is new.
func (c *candidate) judgeHolder(there *coordinationv1.Lease, holder string) *ScopeError {
	if holder == "" || holder == c.identity {
		return nil
	}
	conflict, rollout := c.o.conflict(there, c.identity)
	if c.lastLeader == holder {
		return conflict
	}
	c.lastLeader = holder
	switch {
	case conflict != nil:
		c.o.Log.Error("this process does not stand by", "error", conflict)
	case rollout:
		theirs, _ := ScopeOf(there)
		c.o.Log.Info("another leads, and is waited for: it is of the same workload, with another scope", "lease", c.o.Name, "leader", holder, "workload", theirs.ReplicaOf, "serves", theirs, "serves_here", c.o.Scope)
	default:
		c.o.Log.Info("another leads", "lease", c.o.Name, "leader", holder)
	}
	return conflict
}

// heldByOther reports whether another process may still hold the lease. It uses the monotonic
// clock, so that setting the wall clock does not make a lease look expired.
func (c *candidate) heldByOther(there *coordinationv1.Lease, at time.Time) bool {
	holder := holderOf(there)
	return holder != "" && holder != c.identity && at.Sub(c.seen) < durationOf(there)
}

func holderOf(l *coordinationv1.Lease) string { return *cmp.Or(l.Spec.HolderIdentity, new(string)) }

func durationOf(l *coordinationv1.Lease) time.Duration {
	return time.Duration(*cmp.Or(l.Spec.LeaseDurationSeconds, new(int32))) * time.Second
}

// setHolder makes this candidate the holder from now on.
func (c *candidate) setHolder(l *coordinationv1.Lease, at time.Time) {
	seconds, now := c.o.seconds(), metav1.NewMicroTime(at)
	l.Spec.HolderIdentity, l.Spec.LeaseDurationSeconds, l.Spec.AcquireTime, l.Spec.RenewTime = &c.identity, &seconds, &now, &now
	setScope(l, c.identity, c.o.Scope)
}
