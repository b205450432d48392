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

	"github.com/scanflow-k8s/scanflow/engine/kubernetes/apiclient"
)

// Run campaigns for the lease until ctx ends, and returns nil then. While this
// process leads, it calls lead, whose context ends once the leadership is lost or
// ctx ended. In the second case the lease is held on to until lead returned, and then
// given up at once, so that another takes it within its Retry.
//
// fence is nil while this process may write; see the package. It stays open while
// lead winds up after the end of ctx. lead must return soon once its context ended;
// if it returns before, with an error or not, the lease is given up too, and Run
// campaigns again after a pause.
//
// The error is one of the options; everything else is logged and tried again.
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
	for {
		renewed, won := c.campaign(ctx)
		if !won {
			return nil
		}
		c.serve(ctx, renewed, lead)
		if !pause(ctx, o.Retry) {
			return nil
		}
	}
}

// candidate is this process in an election. One goroutine at a time uses it.
type candidate struct {
	o        Options
	identity string
	leases   coordination.LeaseInterface
	now      func() time.Time

	held    *coordinationv1.Lease // as it was last written by us
	version string                // of the Lease of another
	seen    time.Time             // when that version was first seen
	said    string                // whose lead was last logged
}

// campaign tries until the lease is ours, and returns when it was asked for.
func (c *candidate) campaign(ctx context.Context) (time.Time, bool) {
	c.version = ""
	failing := false
	for ctx.Err() == nil {
		at, won, err := c.try(ctx)
		switch {
		case won:
			return at, true
		case err != nil && !failing && ctx.Err() == nil:
			c.o.Log.Warn("the lease can't be asked for, and is tried again", "lease", c.o.Name, "namespace", c.o.Namespace, "error", err)
		}
		failing = err != nil
		if !pause(ctx, c.o.Retry) {
			break
		}
	}
	return time.Time{}, false
}

// try takes the lease if it is free: not there, given up, or not changed for its
// duration since we first saw it as it is.
func (c *candidate) try(ctx context.Context) (time.Time, bool, error) {
	ctx, cancel := context.WithTimeout(ctx, c.o.Renew/2)
	defer cancel()
	there, err := c.leases.Get(ctx, c.o.Name, metav1.GetOptions{})
	at := c.now()
	switch {
	case apierrors.IsNotFound(err):
		fresh := &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Name: c.o.Name}}
		c.fill(fresh, at)
		c.held, err = c.leases.Create(ctx, fresh, metav1.CreateOptions{})
	case err != nil:
	default:
		if there.ResourceVersion != c.version {
			c.version, c.seen = there.ResourceVersion, at
		}
		if c.holds(there, at) {
			return at, false, nil
		}
		c.fill(there, at)
		transitions := *cmp.Or(there.Spec.LeaseTransitions, new(int32)) + 1
		there.Spec.LeaseTransitions = &transitions
		c.held, err = c.leases.Update(ctx, there, metav1.UpdateOptions{})
	}
	switch {
	case apierrors.IsConflict(err) || apierrors.IsAlreadyExists(err): // another was faster
		return at, false, nil
	case err != nil:
		return at, false, apiclient.Classify(fmt.Errorf("take lease %s: %w", c.o.Name, err))
	}
	return at, true, nil
}

// holds tells whether another may still have the lease. The time since it was seen is
// by the monotonic clock: a wall clock that is set must not make it look old.
func (c *candidate) holds(there *coordinationv1.Lease, at time.Time) bool {
	holder := holderOf(there)
	if holder == "" || holder == c.identity {
		return false
	}
	if c.said != holder {
		c.said = holder
		c.o.Log.Info("another leads", "lease", c.o.Name, "leader", holder)
	}
	seconds := *cmp.Or(there.Spec.LeaseDurationSeconds, new(int32))
	return at.Sub(c.seen) < time.Duration(seconds)*time.Second
}

func holderOf(l *coordinationv1.Lease) string { return *cmp.Or(l.Spec.HolderIdentity, new(string)) }

// fill writes this candidate into a lease, from now on.
func (c *candidate) fill(l *coordinationv1.Lease, at time.Time) {
	seconds, now := c.o.seconds(), metav1.NewMicroTime(at)
	l.Spec.HolderIdentity, l.Spec.LeaseDurationSeconds, l.Spec.AcquireTime, l.Spec.RenewTime = &c.identity, &seconds, &now, &now
}

func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
