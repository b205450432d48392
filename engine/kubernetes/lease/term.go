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
)

// ErrLost is what a fence says once it is closed.
var ErrLost = errors.New("the lease is lost")

// term is one time of leading, from taking the lease to losing it or giving it up.
type term struct {
	c *candidate

	mu      sync.Mutex
	renewed time.Time // before the last renewal that went well was sent
	over    bool
}

// fence is nil while nobody else can have the lease.
func (t *term) fence() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := t.c.now()
	since := max(now.Sub(t.renewed), now.Round(0).Sub(t.renewed.Round(0)))
	switch {
	case t.over:
		return fmt.Errorf("lease %s: %w", t.c.o.Name, ErrLost)
	case since >= t.c.o.Renew:
		return fmt.Errorf("lease %s: %w: not renewed for %s", t.c.o.Name, ErrLost, since.Round(time.Millisecond))
	}
	return nil
}

// left is how long the fence stays open without another renewal.
func (t *term) left() time.Duration {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.c.o.Renew - t.c.now().Sub(t.renewed)
}

func (t *term) renewedAt(at time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.renewed = at
}

func (t *term) end() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.over = true
}

// serve leads: it renews the lease beside lead, until one of the two ends. Then it
// waits for lead, and gives the lease up if it is still ours.
func (c *candidate) serve(ctx context.Context, renewed time.Time, lead func(context.Context, func() error) error) {
	t := &term{c: c, renewed: renewed}
	defer t.end()
	leading, stopLeading := context.WithCancel(ctx)
	defer stopLeading()
	// Not of ctx: the lease is kept while lead winds up.
	renewing, stopRenewing := context.WithCancel(context.WithoutCancel(ctx))
	defer stopRenewing()
	c.said = c.identity
	c.o.Log.Info("this process leads", "lease", c.o.Name, "identity", c.identity)
	kept := make(chan error, 1)
	go func() {
		err := t.keep(renewing)
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
	c.giveUp(context.WithoutCancel(ctx))
}

// keep renews the lease until it is lost, or ctx ends: nil then.
func (t *term) keep(ctx context.Context) error {
	for {
		if !pause(ctx, min(t.c.o.Retry, t.left())) {
			return nil
		}
		gone, err := t.renew(ctx)
		switch {
		case ctx.Err() != nil:
			return nil
		case gone:
			return err
		case t.fence() != nil:
			return errors.Join(t.fence(), err)
		}
	}
}

// renew writes the lease anew. It is gone where another holds it, or where it was
// deleted: then another may hold one already.
func (t *term) renew(ctx context.Context) (gone bool, err error) {
	c := t.c
	// Half of Renew at most for one request, so that one that hangs can be tried again;
	// none goes on for longer than the lease.
	ctx, cancel := context.WithTimeout(ctx, max(min(t.left(), c.o.Renew/2), time.Millisecond))
	defer cancel()
	err = t.write(ctx, c.held)
	if err == nil {
		return false, nil
	}
	if !apierrors.IsConflict(err) && !apierrors.IsNotFound(err) {
		return false, fmt.Errorf("renew lease %s: %w", c.o.Name, err)
	}
	// Perhaps a renewal of ours landed whose answer was lost, or somebody labelled it.
	there, err := c.leases.Get(ctx, c.o.Name, metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err):
		return true, fmt.Errorf("lease %s was deleted", c.o.Name)
	case err != nil:
		return false, fmt.Errorf("read lease %s: %w", c.o.Name, err)
	case holderOf(there) != c.identity:
		return true, fmt.Errorf("lease %s is held by %q", c.o.Name, holderOf(there))
	}
	if err := t.write(ctx, there); err != nil {
		return false, fmt.Errorf("renew lease %s: %w", c.o.Name, err)
	}
	return false, nil
}

// write renews the lease, if it is still as given.
func (t *term) write(ctx context.Context, as *coordinationv1.Lease) error {
	at := t.c.now()
	next := as.DeepCopy()
	t.c.fill(next, at)
	next.Spec.AcquireTime = as.Spec.AcquireTime
	written, err := t.c.leases.Update(ctx, next, metav1.UpdateOptions{})
	if err != nil {
		return err
	}
	t.c.held = written
	t.renewedAt(at)
	return nil
}

// giveUpWithin bounds the giving up: a process that ends must not wait for an API
// server that is away.
const giveUpWithin = 2 * time.Second

// giveUp makes the lease free, if it is still ours as it lies there. Where that
// fails, it runs out by itself.
func (c *candidate) giveUp(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, min(c.o.Renew, giveUpWithin))
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
			c.o.Log.Info("the lease is given up", "lease", c.o.Name)
			return
		}
		if !apierrors.IsConflict(err) && !pause(ctx, c.o.Retry) || ctx.Err() != nil {
			c.o.Log.Warn("the lease can't be given up: it runs out by itself", "lease", c.o.Name, "error", err)
			return
		}
	}
}
