package loop

import (
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/urlguard"
)

// The outbox delivers an act that is a request to an address (`webhook`), as it does events:
//
//	admitted -> in the outbox -> answered             done
//	                ^   |  \---> refused for good      failed
//	                |   |  \---> not answered in time  failed
//	                +---+ tried again, later each time, and not before Retry-After
//
// Until then it is running. No goroutine waits for it, and neither does a stop: the next
// start continues. One that failed and that no strategy proposes again is a dead letter.

// deliveries are the acts of one agent that the outbox has.
type deliveries struct {
	mu sync.Mutex
	by map[string]*delivery // by identity
}

type delivery struct {
	engine.Intent
	late bool // it was tried, and not answered
}

func (d *deliveries) add(in *engine.Intent) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.by[in.Identity] = &delivery{Intent: *in}
}

// remove returns the act of an identity, nil where the outbox does not have it.
func (d *deliveries) remove(identity string) *delivery {
	d.mu.Lock()
	defer d.mu.Unlock()
	found := d.by[identity]
	delete(d.by, identity)
	return found
}

// setLate records that an act was tried, and waits for its next try.
func (d *deliveries) setLate(identity string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if found := d.by[identity]; found != nil {
		found.late = true
	}
}

// replaceable reports whether an equal act of a later turn may replace that of an identity.
func (d *deliveries) replaceable(identity string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	found := d.by[identity]
	return found != nil && found.late && !found.Irreproducible
}

// delivered ends an act that was delivered; it reports whether the act is this agent's.
func (r *runner) delivered(c engine.Conclusion) bool {
	found := r.deliveries.remove(c.Identity)
	if found == nil {
		return false
	}
	r.end(&found.Intent, c.Outcome, c.At)
	return true
}

// endIfDelivered ends an act whose delivery ended before this agent could be informed; it
// reports whether that is so. in is the act where the deliveries do not have it.
func (r *runner) endIfDelivered(identity string, in *engine.Intent) bool {
	ended, is := r.m.takeEnded(identity)
	switch {
	case is && in != nil:
		r.end(in, ended.Outcome, ended.At)
	case is:
		r.delivered(ended)
	}
	return is
}

// replaceOlder ends the act that a newer one replaces.
func (r *runner) replaceOlder(in *engine.Intent) {
	if in.Terms == nil || in.Terms.Replaces == "" {
		return
	}
	if found := r.deliveries.remove(in.Terms.Replaces); found != nil {
		r.conclude(&found.Intent, engine.Outcome{Status: engine.Abandoned, Detail: "not answered yet, and replaced by " + in.Identity}, r.m.Clock.Now())
	}
}

// mostEnded bounds the outcomes that are kept of deliveries whose agent does not run yet.
const mostEnded = 10_000

// Ended implements queue.Calls. An agent that does not run yet, or has not read its open
// acts, gets the outcome later.
func (m *Manager) Ended(agent string, c engine.Conclusion) {
	if a := m.find(agent); a != nil && a.runner.delivered(c) {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for old := range m.ended { // of acts that were not open any more
		if len(m.ended) < mostEnded {
			break
		}
		delete(m.ended, old)
	}
	m.ended[c.Identity] = c
}

// takeEnded returns the outcome of a delivery that ended while its agent did not run.
func (m *Manager) takeEnded(identity string) (engine.Conclusion, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	c, ended := m.ended[identity]
	delete(m.ended, identity)
	return c, ended
}

// Late implements queue.Calls.
func (m *Manager) Late(agent, identity string) {
	if a := m.find(agent); a != nil {
		a.runner.deliveries.setLate(identity)
	}
}

// Allowed implements queue.Calls: it applies the current guards to a call that was admitted
// earlier. The error is retryable where the agent may come back.
func (m *Manager) Allowed(to engine.Destination) error {
	a := m.find(to.Agent)
	switch {
	case a == nil && !m.wants(to.Agent):
		return fmt.Errorf("its agent %s is not run any more", to.Agent)
	case a == nil:
		return engine.Retry(errors.New("its agent does not run yet"))
	case a.spec.Mode != engine.Enforce:
		return engine.Retry(fmt.Errorf("its agent is in mode %s", a.spec.Mode))
	case !slices.Contains(a.spec.Primitives, engine.CallType):
		return fmt.Errorf("%s is no longer among the agent's primitives", engine.CallType)
	case !urlguard.Allowed(to.URL, a.spec.Guards.URLs):
		return fmt.Errorf("%s is not among the addresses that the agent may call any more; add it to spec.guards.urls", urlguard.Host(to.URL))
	}
	return nil
}
