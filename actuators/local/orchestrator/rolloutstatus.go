package orchestrator

import (
	"context"
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/types"
)

// Rollout counts the pods of a Deployment: updated ones are of its current template,
// outdated ones of an earlier one, terminating ones drain or stop.
type Rollout struct {
	Desired                 int
	Updated, UpdatedReady   int
	Outdated, OutdatedReady int
	Terminating             int
	Unready                 []string // why each pod that isn't ready is not

	obstacles []string // of the pods that are not only starting
}

// Ready reports whether the desired number of pods is ready, all of the current template.
func (r Rollout) Ready() bool {
	return r.Updated == r.Desired && r.UpdatedReady == r.Desired && r.Outdated == 0
}

// Complete reports whether the rollout is ready and no pod is still terminating.
func (r Rollout) Complete() bool { return r.Ready() && r.Terminating == 0 }

func (r Rollout) String() string {
	s := fmt.Sprintf("%d of %d ready", r.UpdatedReady, r.Desired)
	if r.Outdated > 0 {
		s += fmt.Sprintf(", %d of an earlier template", r.Outdated)
	}
	if r.Terminating > 0 {
		s += fmt.Sprintf(", %d leaving", r.Terminating)
	}
	if len(r.Unready) > 0 {
		s += " (" + strings.Join(r.Unready, "; ") + ")"
	}
	return s
}

// rollout is called with mu held.
func (o *Orchestrator) rollout(name types.NamespacedName, d *deployment) Rollout {
	out := Rollout{Desired: d.desired()}
	for _, r := range o.podsOf(name) {
		switch {
		case r.terminating:
			out.Terminating++
			continue
		case r.rec.Hash != d.hash:
			out.Outdated++
			if r.ready() {
				out.OutdatedReady++
			}
		default:
			out.Updated++
			if r.ready() {
				out.UpdatedReady++
			}
		}
		if !r.ready() {
			out.Unready = append(out.Unready, r.unreadyReason())
			if why := r.obstacle(); why != "" {
				out.obstacles = append(out.obstacles, why)
			}
		}
	}
	return out
}

// WaitReady waits until a Deployment's rollout is Ready. The error of an ended ctx says
// why each pod isn't ready.
func (o *Orchestrator) WaitReady(ctx context.Context, namespace, name string) error {
	k := named(namespace, name)
	for {
		o.mu.Lock()
		changed, closed := o.changed, o.closed
		d, err := o.deploymentLocked(k)
		var now Rollout
		if err == nil {
			now = o.rollout(k, d)
		}
		o.mu.Unlock()
		switch {
		case closed:
			return fmt.Errorf("wait for %s: %w", k, ErrClosed)
		case err != nil:
			return fmt.Errorf("wait for %s: %w", k, err)
		case now.Ready():
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return fmt.Errorf("wait for %s: %s: %w", k, now, ctx.Err())
		}
	}
}
