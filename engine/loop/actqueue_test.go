package loop_test

import (
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/engine"
)

const many = 2000

// manyTargets returns a spec whose fleet has many targets to scale, once.
func manyTargets(b *bench) engine.Spec {
	for i := range many {
		name := fmt.Sprintf("web-%04d", i)
		b.world.set(name, 1)
		b.load.setValue(name, 35)
	}
	return b.spec(func(s *engine.Spec) { s.Triggers = []engine.Trigger{{At: start}} })
}

// fleetFiring returns the record of the fleet's firing, which takes a while on a busy machine.
func fleetFiring(b *bench) engine.FiringRecord {
	b.t.Helper()
	select {
	case f := <-b.fired:
		return f
	case <-time.After(3 * time.Minute):
		require.FailNow(b.t, "no firing within 3 min")
		panic("unreachable")
	}
}

// Once, each of three thousand acts had a goroutine, and more for what it waited for.
func TestQueuedActsHaveNoGoroutines(t *testing.T) {
	b := newBench(t)
	release := make(chan struct{})
	b.world.block = func(string) <-chan struct{} { return release }
	spec := manyTargets(b)
	before := runtime.NumGoroutine()
	b.run(spec)
	require.Len(t, fleetFiring(b).Intents, many)
	const most = 150 // 16 calls, 32 acts started, and what a call needs
	require.Less(t, runtime.NumGoroutine()-before, most)
	close(release)
	seen := map[string]bool{}
	for range many {
		seen[b.nextAct().Target.Name] = true
		require.Less(t, runtime.NumGoroutine()-before, most)
	}
	require.Len(t, seen, many)
	require.Equal(t, many, b.world.count(), "each is done once")
}

func TestActsBeginInTheOrderOfTheirAdmission(t *testing.T) {
	b := newBench(t)
	b.concurrency = 1
	b.close()
	b.open()
	spec := manyTargets(b)
	b.run(spec)
	f := fleetFiring(b)
	for range many {
		b.nextAct()
	}
	b.world.mu.Lock()
	defer b.world.mu.Unlock()
	for i, c := range b.world.applied {
		at := 0
		for at = range f.Intents {
			if f.Intents[at].Identity == c.Identity {
				break
			}
		}
		require.InDelta(t, i, at, 8, "two are started for each call, and the machine may have other work")
	}
}

func TestQueuedActsStayOpenAfterShutdown(t *testing.T) {
	b := newBench(t)
	never := make(chan struct{})
	b.world.block = func(string) <-chan struct{} { return never }
	b.run(manyTargets(b))
	fleetFiring(b)
	b.restart()
	open, err := b.journal.Open(t.Context(), "ns/planner")
	require.NoError(t, err)
	require.Len(t, open, many)
	require.Zero(t, b.world.count())
}

// An act that is running in the world does not keep queued acts from starting.
func TestAWaitingActHoldsNoSlot(t *testing.T) {
	b := newBench(t)
	b.world.fail = engine.Retry(errors.New("503"))
	b.run(manyTargets(b))
	fleetFiring(b)
	require.Eventually(t, func() bool { return b.world.count() >= many }, 3*time.Minute, time.Millisecond, "each is tried, though all are to be tried again")
	b.world.mu.Lock()
	b.world.fail = nil
	b.world.mu.Unlock()
	for ended := 0; ended < many; {
		select {
		case act := <-b.acted:
			require.Equal(t, engine.Done, act.Outcome.Status)
			ended++
		case <-time.After(time.Millisecond):
			b.clock.Advance(time.Second)
		}
	}
}

const flood = `package scanflow.strategies.t.flood

propose contains {"primitive": "hook", "with": {"n": n}, "reason": "flood", "because": []} if some n in numbers.range(1, 3000)
`

func TestExcessProposalsOfAStrategyAreOneDecision(t *testing.T) {
	b := newBench(t, flood)
	b.world.set("web", 1)
	b.load.setValue("web", 35)
	b.run(b.spec(func(s *engine.Spec) { s.Strategies = []string{"t.flood", "t.scaling"} }))
	f := b.next()
	require.Len(t, f.Decisions, engine.ProposalsPerTarget+2)
	verdicts := map[engine.Verdict]int{}
	for _, d := range f.Decisions {
		verdicts[d.Verdict]++
		if d.Verdict == engine.Refused {
			require.Equal(t, "bounds", d.By)
			require.Equal(t, "3000 proposals of t.flood for one target, and 64 are taken: this one and the rest are left out", d.Detail)
		}
	}
	require.Equal(t, map[engine.Verdict]int{engine.Admitted: engine.ProposalsPerTarget + 1, engine.Refused: 1}, verdicts, "and another strategy has its say")
}

// lengthy is cheap to evaluate, because the text is in the policy.
var lengthy = `package scanflow.strategies.t.lengthy

propose contains {"primitive": "hook", "with": {}, "reason": "` + strings.Repeat("é ", 30000) + `", "because": ["load"]} if true

propose contains {"primitive": "` + strings.Repeat("x", 30000) + `", "with": {}, "reason": "odd", "because": []} if true
`

func TestTextsOfAPolicyAreClipped(t *testing.T) {
	b := newBench(t, lengthy)
	b.world.set("web", 1)
	b.load.setValue("web", 1)
	b.run(b.spec(func(s *engine.Spec) { s.Strategies = []string{"t.lengthy"} }))
	f := b.next()
	require.NotEmpty(t, f.Decisions)
	for _, d := range f.Decisions {
		for _, text := range []string{d.Reason, d.Primitive, d.Detail} {
			require.LessOrEqual(t, len(text), engine.TextMost+100)
			require.True(t, strings.ToValidUTF8(text, "") == text)
		}
	}
}
