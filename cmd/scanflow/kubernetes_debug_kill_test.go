package main

import (
	"math/rand/v2"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Never 5, in S1: each of the four is killed while an event is on its way to it, or
// while it answers one, and the outcome is the same; no request is answered twice.
func TestKillEachOfFourInS1(t *testing.T) {
	if os.Getenv("SCANFLOW_SOAK") == "" {
		t.Skip("a minute and a half of kills: SCANFLOW_SOAK=1 runs it")
	}
	s := newDebugged(t)
	kills := 0
	s.debugInFour(3, func(round int, four map[string]*part) {
		if round > 1 { // by then it is known that all works
			kills += killEach(four)
		}
	})
	t.Logf("%d kills", kills)
}

// killEach follows a round and kills each process shortly before its turn, just after the one
// before it acted, and starts it again. It returns the number of kills.
func killEach(four map[string]*part) (kills int) {
	hops := []struct{ who, does, dies string }{
		{"tracker", "digits/tracker event.send dev.scanflow.check.requested", "checker"},
		{"checker", "digits/checker workflow.run detect", "tracker"},
		{"checker", "digits/checker event.send dev.scanflow.retrain.requested", "planner"},
		{"planner", "digits/planner workflow.run retrain", "planner"},
		{"planner", "digits/planner event.send dev.scanflow.promote.requested", "executor"},
		{"executor", "digits/executor model.promote ", "planner"},
	}
	done := make([]int, len(hops))
	for i, hop := range hops {
		done[i] = four[hop.who].times(hop.does)
	}
	random := rand.New(rand.NewPCG(5, uint64(done[0]))) //nolint:gosec // a repeatable test, no secret
	for i, hop := range hops {
		who, dies := four[hop.who], four[hop.dies]
		require.Eventually(who.stage.t, func() bool { return who.times(hop.does) > done[i] }, 2*time.Minute, 5*time.Millisecond, hop.does)
		pause := time.NewTimer(time.Duration(random.Int64N(int64(100 * time.Millisecond))))
		<-pause.C
		dies.kill()
		dies.start()
	}
	return len(hops)
}
