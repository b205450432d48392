package engine

import "time"

// An act that fails for good (a write that is forbidden, or denied by a webhook)
// would be asked for again at every firing, with an intent, an outcome and a request
// each time. So the same act waits a while after it failed, longer each time, until
// it succeeds or something else is asked for. It is no guard: a restart begins anew.
const (
	holdFirst = time.Second
	holdMost  = 5 * time.Minute
)

// failures are how often the same act failed on end, and when it last did.
type failures struct {
	count int
	at    time.Time
}

// until is when the act may be tried again.
func (f failures) until() time.Time {
	return f.at.Add(min(holdFirst<<min(f.count-1, 16), holdMost))
}

func sameAct(strategy, verb string, with map[string]any) string {
	return strategy + "\x00" + verb + "\x00" + canonical(with)
}

// failing notes how an act ended.
func (m *memory) failing(in Intent, status Status, at time.Time) {
	key := sameAct(in.Strategy, in.Primitive, in.With)
	switch status {
	case Failed:
		if m.failed == nil {
			m.failed = map[string]failures{}
		}
		for other, f := range m.failed { // what is asked for no more is not kept
			if at.After(f.at.Add(2 * holdMost)) {
				delete(m.failed, other)
			}
		}
		m.failed[key] = failures{m.failed[key].count + 1, at}
	case Done, NoOp:
		delete(m.failed, key)
	}
}

// backOff refuses an act that failed just now.
func (a *agent) backOff(c *candidate, now time.Time) {
	if c.slot.doc.Trigger.ofEvent() { // nobody asks for it at each firing
		return
	}
	f, failed := a.memoryOf(c.Target.ID()).failed[sameAct(c.Strategy, c.Primitive, c.With)]
	if failed && now.Before(f.until()) {
		c.passes = f.until()
		c.refuse("backoff", "it failed %d times on end, and is tried again from %s on", f.count, f.until().UTC().Format(time.RFC3339))
	}
}
