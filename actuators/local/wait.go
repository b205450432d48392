package local

import (
	"context"
	"errors"
	"fmt"
	"strings"
)

// ErrUnknownWorkload says that no Deployment of that name is run here.
var ErrUnknownWorkload = errors.New("no such Deployment is run here")

// WaitReady waits until a Deployment is as wanted: as many ready pods as desired,
// all of its present template. The error says what each pod still lacks.
func (o *Orchestrator) WaitReady(ctx context.Context, namespace, name string) error {
	k := key{namespace, name}
	for {
		o.mu.Lock()
		changed, closed := o.changed, o.closed
		p, err := o.progress(k)
		o.mu.Unlock()
		switch {
		case closed:
			return fmt.Errorf("wait for %s: %w", k, ErrClosed)
		case err != nil:
			return fmt.Errorf("wait for %s: %w", k, err)
		case p.settled():
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return fmt.Errorf("wait for %s: %s: %w", k, p, ctx.Err())
		}
	}
}

// progress is how far a Deployment is from what is wanted.
type progress struct {
	desired, current, ready int // pods of the present template
	old, oldReady           int // of an earlier one
	leaving                 int // pods that drain or stop
	troubles                []string
}

func (p progress) settled() bool {
	return p.current == p.desired && p.ready == p.desired && p.old == 0
}

func (p progress) String() string {
	s := fmt.Sprintf("%d of %d ready", p.ready, p.desired)
	if p.old > 0 {
		s += fmt.Sprintf(", %d of an earlier template", p.old)
	}
	if p.leaving > 0 {
		s += fmt.Sprintf(", %d leaving", p.leaving)
	}
	if len(p.troubles) > 0 {
		s += " (" + strings.Join(p.troubles, "; ") + ")"
	}
	return s
}

// progress is called with mu held.
func (o *Orchestrator) progress(k key) (progress, error) {
	d := o.deploys[k]
	if d == nil {
		return progress{}, o.unknown()
	}
	p := progress{desired: d.desired()}
	for _, r := range o.of(k) {
		switch {
		case r.going:
			p.leaving++
			continue
		case r.rec.Hash != d.hash:
			p.old++
			if r.ready() {
				p.oldReady++
			}
		default:
			p.current++
			if r.ready() {
				p.ready++
			}
		}
		if !r.ready() {
			p.troubles = append(p.troubles, r.trouble())
		}
	}
	return p, nil
}

// unknown names the workloads that there are. It is called with mu held.
func (o *Orchestrator) unknown() error {
	names := []string{}
	for _, k := range keysOf(o.deploys) {
		names = append(names, k.String())
	}
	if len(names) == 0 {
		return fmt.Errorf("%w; none is", ErrUnknownWorkload)
	}
	return fmt.Errorf("%w; these are: %s", ErrUnknownWorkload, strings.Join(names, ", "))
}
