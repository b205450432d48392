package lease

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/scanflow-k8s/scanflow/engine"
)

// ErrLost is the error of a closed fence.
var ErrLost = errors.New("the lease is lost")

// leadership lasts from acquiring the lease to losing or releasing it.
type leadership struct {
	c *candidate

	mu      sync.Mutex
	renewed time.Time // when the last successful renewal was sent
	ended   bool
}

// fence returns nil while no other process can hold the lease.
func (t *leadership) fence() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := t.c.now()
	since := max(now.Sub(t.renewed), now.Round(0).Sub(t.renewed.Round(0)))
	switch {
	case t.ended:
		return fmt.Errorf("lease %s: %w", t.c.o.Name, ErrLost)
	case since >= t.c.o.Renew:
		return fmt.Errorf("lease %s: %w: not renewed for %s", t.c.o.Name, ErrLost, since.Round(time.Millisecond))
	}
	return nil
}

// remaining returns how long the fence stays open without another renewal.
func (t *leadership) remaining() time.Duration {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.c.o.Renew - t.c.now().Sub(t.renewed)
}

func (t *leadership) renewedAt(at time.Time) {
	t.mu.Lock()
	t.renewed = at
	t.mu.Unlock()
	t.c.sawHolder(t.c.identity, at, at, t.c.o.Duration)
}

func (t *leadership) end() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.ended = true
}

// lead renews the lease while it calls lead, until one of the two ends. Then it waits for lead and
// releases the lease if it is still ours.
func (c *candidate) lead(ctx context.Context, renewed time.Time, lead func(context.Context, func() error) error) {
	t := &leadership{c: c}
	t.renewedAt(renewed)
	defer t.end()
	c.change(func(e *Election) { e.HolderSince, e.Conflict = renewed, nil })
	leading, stopLeading := context.WithCancel(ctx)
	defer stopLeading()
	// Independent of ctx, since the lease is held while lead shuts down.
	renewing, stopRenewing := context.WithCancel(context.WithoutCancel(ctx))
	defer stopRenewing()
	c.lastLeader = c.identity
	c.o.Log.Info("this process leads", "lease", c.o.Name, "identity", c.identity)
	kept := make(chan error, 1)
	go func() {
		err := t.renewUntilLost(renewing)
		if err != nil {
			t.end()
			stopLeading()
		}
		kept <- err
	}()
	err := lead(leading, t.fence)
	t.end()
	stopRenewing()
	switch lost := <-kept; {
	case lost != nil:
		c.o.Log.Warn("leadership lost", "lease", c.o.Name, "error", lost)
	case err != nil && ctx.Err() == nil:
		c.o.Log.Error("leading failed: the lease is given up", "lease", c.o.Name, "error", err)
	}
	c.release(context.WithoutCancel(ctx))
}

// renewUntilLost renews the lease until it is lost. It returns nil if ctx ends. The error of a
// loss has the answer of the API server, if there was one: the last request before the fence
// closes has no time left, and would hide it behind "context deadline exceeded".
func (t *leadership) renewUntilLost(ctx context.Context) error {
	var failure error // since the last renewal
	for {
		if !engine.Sleep(ctx, engine.WallClock{}, min(t.c.o.Retry, t.remaining())) {
			return nil
		}
		if lost := t.fence(); lost != nil {
			if failure != nil {
				return fmt.Errorf("%w: %w", lost, failure)
			}
			return lost
		}
		// At most half of Renew for one request, so that there is time to retry one that hangs,
		// and never longer than the lease.
		budget := max(min(t.remaining(), t.c.o.Renew/2), time.Millisecond)
		at := t.c.now()
		taken, err := t.renew(ctx, budget)
		switch {
		case ctx.Err() != nil:
			return nil
		case taken:
			return err
		case err == nil:
			failure = nil
			t.c.worked(at)
		case failure == nil || budget == t.c.o.Renew/2 || !errors.Is(err, context.DeadlineExceeded):
			failure = err
			t.c.failed(err, at)
		}
	}
}

// renew renews the lease. taken is true where another process holds it, or may hold it because it
// was deleted.
func (t *leadership) renew(ctx context.Context, budget time.Duration) (taken bool, err error) {
	c := t.c
	ctx, cancel := context.WithTimeout(ctx, budget)
	defer cancel()
	err = t.write(ctx, c.held)
	if err == nil {
		return false, nil
	}
	if !apierrors.IsConflict(err) && !apierrors.IsNotFound(err) {
		return false, fmt.Errorf("renew lease %s/%s: %w", c.o.Namespace, c.o.Name, err)
	}
	// A renewal of ours may have landed although its answer was lost, or a label changed.
	there, err := c.leases.Get(ctx, c.o.Name, metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err):
		return true, fmt.Errorf("lease %s was deleted", c.o.Name)
	case err != nil:
		return false, fmt.Errorf("read lease %s/%s: %w", c.o.Namespace, c.o.Name, err)
	case holderOf(there) != c.identity:
		return true, fmt.Errorf("lease %s is held by %q", c.o.Name, holderOf(there))
	}
	if err := t.write(ctx, there); err != nil {
		return false, fmt.Errorf("renew lease %s/%s: %w", c.o.Namespace, c.o.Name, err)
	}
	return false, nil
}

// write renews the lease if it is still at this version.
func (t *leadership) write(ctx context.Context, as *coordinationv1.Lease) error {
	at := t.c.now()
	next := as.DeepCopy()
	t.c.setHolder(next, at)
	next.Spec.AcquireTime = as.Spec.AcquireTime
	written, err := t.c.leases.Update(ctx, next, metav1.UpdateOptions{})
	if err != nil {
		return err
	}
	t.c.held = written
	t.renewedAt(at)
	return nil
}

// releaseTimeout bounds the release, since a process that ends must not wait for an unreachable
// API server.
const releaseTimeout = 2 * time.Second

// release gives the lease up if it is still ours. If that fails, the lease expires by itself.
func (c *candidate) release(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, min(c.o.Renew, releaseTimeout))
	defer cancel()
	for {
		there, err := c.leases.Get(ctx, c.o.Name, metav1.GetOptions{})
		if err == nil && holderOf(there) != c.identity || apierrors.IsNotFound(err) {
			return
		}
		if err == nil {
			nobody := ""
			there.Spec.HolderIdentity = &nobody
			_, err = c.leases.Update(ctx, there, metav1.UpdateOptions{})
		}
		if err == nil {
			c.sawHolder("", time.Time{}, c.now(), c.o.Duration)
			c.o.Log.Info("the lease is given up", "lease", c.o.Name)
			return
		}
		if !apierrors.IsConflict(err) && !engine.Sleep(ctx, engine.WallClock{}, c.o.Retry) || ctx.Err() != nil {
			c.o.Log.Warn("the lease can't be given up: it runs out by itself", "lease", c.o.Name, "error", err)
			return
		}
	}
}
