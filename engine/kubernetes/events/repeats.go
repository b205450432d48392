package events

import (
	"fmt"
	"sync"
	"time"

	"github.com/scanflow-k8s/scanflow/engine"
)

const (
	// repeatAfter is the interval at which an event that repeats at each firing is recorded
	// again, so that it stays in the cluster: the API server keeps an event for an hour.
	repeatAfter = 10 * time.Minute
	maxRepeats  = 20_000
)

// repeats remembers what was recorded last of each agent, target and verb.
type repeats struct {
	clock engine.Clock
	mu    sync.Mutex
	last  map[string]recorded
}

type recorded struct {
	text string
	at   time.Time
}

func newRepeats(clock engine.Clock) *repeats {
	return &repeats{clock: clock, last: map[string]recorded{}}
}

func repeatKey(what string, a *engine.Act) string {
	return fmt.Sprint(what, " ", a.Agent, " ", a.Target.ID(), " ", a.Primitive)
}

// known reports whether the same text was recorded of an act like this one a moment ago, and
// otherwise remembers it.
func (r *repeats) known(what string, a *engine.Act, text string) bool {
	key, now := repeatKey(what, a), r.clock.Now()
	r.mu.Lock()
	defer r.mu.Unlock()
	if was, found := r.last[key]; found && was.text == text && now.Sub(was.at) < repeatAfter {
		return true
	}
	if len(r.last) >= maxRepeats { // some are of targets that are long gone
		clear(r.last)
	}
	r.last[key] = recorded{text, now}
	return false
}

// forget has the next failure or stall recorded whatever its text, after a success.
func (r *repeats) forget(a *engine.Act) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.last, repeatKey("failed", a))
	delete(r.last, repeatKey("stalled", a))
}
