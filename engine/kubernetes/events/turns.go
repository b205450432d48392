package events

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/scanflow-k8s/scanflow/engine"
)

const (
	// settle is the time after its first finished act at which a turn is recorded though some
	// of its acts go on. Those are recorded once they all ended.
	settle = 10 * time.Second
	// maxTurns bounds the turns with acts in progress that are remembered. The oldest is
	// recorded as it is and forgotten.
	maxTurns = 1000
	// maxNamed bounds the targets that a summary names.
	maxNamed = 5
	// maxTakenOver bounds the events of a turn on targets whose fields were taken over: an agent
	// that is new takes over its whole fleet. The event on the agent counts them all.
	maxTakenOver = 5
)

// turns collects the acts of each turn, so that they are one event on the agent.
//
//	began     the turn admitted n acts
//	ended     one of them ended ------------> all n ended, or settle has passed: summarize
type turns struct {
	clock     engine.Clock
	summarize func(*summary)

	mu     sync.Mutex
	by     map[string]*turn // by firing
	order  []string         // firings, the oldest first
	wake   chan struct{}    // receives when another turn is due
	closed bool
}

// turn has the acts of one firing.
type turn struct {
	acts  int // 0 where Fired has not come, or went to an earlier leader
	ended int
	taken int       // acts that took a field over
	due   time.Time // zero where nothing waits to be recorded
	summary
}

// summary has those acts of a turn that ended and were not recorded yet.
type summary struct {
	agent, firing string
	done          map[string]int // by verb
	failed, taken int
	named         []engine.Act // the first that were done
}

func newTurns(clock engine.Clock, summarize func(*summary)) *turns {
	return &turns{clock: clock, summarize: summarize, by: map[string]*turn{}, wake: make(chan struct{}, 1)}
}

func (t *turns) began(firing, agent string, acts int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	one := t.of(firing, agent)
	one.acts = acts
	t.record(firing, one)
}

// takenOver reports whether an act that took a field over is an event on its target.
func (t *turns) takenOver(a *engine.Act) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	one := t.of(a.Firing, a.Agent)
	one.taken++
	return one.taken <= maxTakenOver
}

func (t *turns) ended(a *engine.Act) {
	t.mu.Lock()
	defer t.mu.Unlock()
	one := t.of(a.Firing, a.Agent)
	one.ended++
	switch a.Outcome.Status {
	case engine.Failed, engine.Abandoned:
		one.failed++
	default:
		one.done[a.Primitive]++
		if a.TakenOver != "" {
			one.summary.taken++
		}
		if len(one.named) < maxNamed {
			one.named = append(one.named, *a)
		}
	}
	t.record(a.Firing, one)
}

// of returns the turn of a firing. The mutex is held.
func (t *turns) of(firing, agent string) *turn {
	if one := t.by[firing]; one != nil {
		return one
	}
	if len(t.order) >= maxTurns {
		t.flush(t.by[t.order[0]])
		t.drop(t.order[0])
	}
	one := &turn{summary: summary{agent: agent, firing: firing, done: map[string]int{}}}
	t.by[firing] = one
	t.order = append(t.order, firing)
	return one
}

// record records a turn whose acts all ended, or sets when it is due. The mutex is held.
func (t *turns) record(firing string, one *turn) {
	switch {
	case one.acts > 0 && one.ended >= one.acts || t.closed:
		t.flush(one)
		t.drop(firing)
	case one.ended > 0 && one.due.IsZero():
		one.due = t.clock.Now().Add(settle)
		select {
		case t.wake <- struct{}{}:
		default:
		}
	}
}

// flush records what waits of a turn. The mutex is held.
func (t *turns) flush(one *turn) {
	one.due = time.Time{}
	if len(one.named) > 0 {
		t.summarize(&one.summary)
	}
	one.summary = summary{agent: one.agent, firing: one.firing, done: map[string]int{}}
}

func (t *turns) drop(firing string) {
	delete(t.by, firing)
	if i := slices.Index(t.order, firing); i >= 0 {
		t.order = slices.Delete(t.order, i, i+1)
	}
}

// run records turns that are due, until ctx ends or close.
func (t *turns) run(ctx context.Context) {
	for {
		wait, closed := t.flushDue()
		if closed {
			return
		}
		due, stop := t.clock.Timer(wait)
		select {
		case <-due:
		case <-t.wake:
		case <-ctx.Done():
			stop()
			return
		}
		stop()
	}
}

// flushDue records the turns that are due, and returns the time until the next one is.
func (t *turns) flushDue() (wait time.Duration, closed bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	now, wait := t.clock.Now(), time.Hour
	for _, firing := range slices.Clone(t.order) {
		one := t.by[firing]
		switch {
		case one.due.IsZero():
		case one.due.After(now):
			wait = min(wait, one.due.Sub(now))
		default:
			unknown := one.acts == 0
			t.flush(one)
			if unknown { // Fired went to an earlier leader; a later act begins anew
				t.drop(firing)
			}
		}
	}
	return wait, t.closed
}

// close records what waits of all turns.
func (t *turns) close() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.closed = true
	for _, firing := range slices.Clone(t.order) {
		t.flush(t.by[firing])
		t.drop(firing)
	}
	select {
	case t.wake <- struct{}{}:
	default:
	}
}

// summarize queues the event of a turn.
func (r *Recorder) summarize(s *summary) {
	reason := "Acted"
	if len(s.done) == 1 {
		reason = camel(s.named[0].Primitive)
	}
	r.OnAgent(s.agent, corev1.EventTypeNormal, reason, s.String())
}

// String returns the counts by verb, the first targets with what was changed, and why.
func (s *summary) String() string {
	if a := &s.named[0]; s.total() == 1 && s.failed == 0 {
		return fmt.Sprintf("%s %s: %s: %s (%s)", a.Primitive, a.Target.ID(), a.Diff, a.Outcome.Detail, because(a))
	}
	var counts []string
	for verb, n := range s.done {
		counts = append(counts, fmt.Sprintf("%s on %s", verb, targets(n)))
	}
	slices.Sort(counts)
	text := strings.Join(counts, ", ")
	if s.failed > 0 {
		text += fmt.Sprintf("; %d failed, with an event on each target", s.failed)
	}
	if s.taken > maxTakenOver {
		text += fmt.Sprintf("; fields of %d were taken over, the first %d with an event on each", s.taken, maxTakenOver)
	}
	for i := range s.named {
		text += fmt.Sprintf("%s %s %s", []string{":", ","}[min(i, 1)], s.named[i].Target.ID(), s.named[i].Diff)
	}
	if more := s.total() - len(s.named); more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return fmt.Sprintf("%s (%s; firing %s)", text, strings.Join(s.reasons(), "; "), s.firing)
}

// reasons returns why the named acts were done, without duplicates.
func (s *summary) reasons() []string {
	var out []string
	for i := range s.named {
		a := &s.named[i]
		why := "strategy " + a.Strategy
		if a.Reason != "" {
			why += ", " + a.Reason
		}
		if !slices.Contains(out, why) {
			out = append(out, why)
		}
	}
	return out
}

func (s *summary) total() (n int) {
	for _, count := range s.done {
		n += count
	}
	return n
}

func targets(n int) string {
	if n == 1 {
		return "1 target"
	}
	return fmt.Sprintf("%d targets", n)
}
