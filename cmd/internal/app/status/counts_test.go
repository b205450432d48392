package status

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/manifest"
)

func TestTheCountsOfTargetsAreWrittenAtAPace(t *testing.T) {
	count := func(n int, first string) engine.TargetCount {
		return engine.TargetCount{Targets: n, First: engine.TargetID{Namespace: "ns", Name: first}, Primitive: "scale", Why: "because of " + first}
	}
	synctest.Test(t, func(t *testing.T) {
		w := reporting(t)
		w.judged(runs)
		w.known()
		fire := func(s engine.Standing) {
			w.Fired(engine.FiringRecord{Agent: planner.String(), Revision: "rev", Standing: &s})
			synctest.Wait()
		}
		fire(engine.Standing{})
		n := len(w.all())
		fire(engine.Standing{Refused: count(1, "a"), Held: count(7, "b")})
		require.Len(t, w.all(), n+1, "the first one at once")
		require.Equal(t, &manifest.TargetCount{Targets: 1, First: "ns/a", Primitive: "scale", Why: "because of a"}, w.all()[n].Refused)
		for i := range 600 { // every second another number waits
			fire(engine.Standing{Refused: count(1, "a"), Held: count(7+i%3, fmt.Sprint(i))})
			pass(time.Second)
		}
		require.LessOrEqual(t, len(w.all())-n, 2+600/int(countsEvery.Seconds()))
		fire(engine.Standing{Refused: count(1, "a"), Held: count(1, "z")})
		pass(2 * countsEvery)
		require.Equal(t, "ns/z", w.all()[len(w.all())-1].Held.First, "the last ones are written without another firing")
		n = len(w.all())
		for range 100 {
			fire(engine.Standing{Refused: engine.TargetCount{Targets: 1, First: count(1, "a").First, Primitive: "scale", Why: time.Now().String()}, Held: count(1, "z")})
			pass(time.Minute)
		}
		require.Len(t, w.all(), n, "the same ones for another reason")
		fire(engine.Standing{})
		require.Nil(t, w.all()[len(w.all())-1].Refused, "and that there is none any more, at once")
		require.Nil(t, w.all()[len(w.all())-1].Held)
	})
}

// An act that does not get on counts as held, with its obstacle; one that failed says why.
func TestTheCountsHaveActsThatDoNotGetOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := reporting(t)
		w.judged(runs)
		w.known()
		web := engine.Target{Namespace: "ns", Name: "web"}
		act := func(o engine.Outcome) engine.Act {
			return engine.Act{Intent: engine.Intent{Change: engine.Change{Proposal: engine.Proposal{Identity: "one", Agent: planner.String(), Target: web, Primitive: "scale"}}}, Outcome: o, EndedAt: time.Now()}
		}
		w.Stalled(act(engine.Outcome{Status: engine.Running, Obstacle: "exceeded quota"}))
		synctest.Wait()
		require.Equal(t, &manifest.TargetCount{Targets: 1, First: "ns/web", Primitive: "scale", Why: "exceeded quota"}, w.all()[len(w.all())-1].Held)
		w.Acted(act(engine.Outcome{Status: engine.Failed, Detail: "not done by its deadline"}))
		w.Fired(engine.FiringRecord{Agent: planner.String(), Revision: "rev", Standing: &engine.Standing{Failed: engine.TargetCount{Targets: 1, First: web.ID(), Primitive: "scale"}}})
		pass(2 * countsEvery)
		s := w.all()[len(w.all())-1]
		require.Nil(t, s.Held)
		require.Equal(t, &manifest.TargetCount{Targets: 1, First: "ns/web", Primitive: "scale", Why: "not done by its deadline"}, s.Failed)

		// The field has the wanted value, so that nothing is proposed: the target is not as it should be.
		w.Fired(engine.FiringRecord{Agent: planner.String(), Revision: "rev", Standing: &engine.Standing{}})
		pass(2 * countsEvery)
		s = w.all()[len(w.all())-1]
		require.Equal(t, &manifest.TargetCount{Targets: 1, First: "ns/web", Primitive: "scale", Why: "not done by its deadline"}, s.Failed)
		n := len(w.all())
		pass(failedFor + 2*countsEvery)
		require.Nil(t, w.all()[len(w.all())-1].Failed, "it is forgotten in the end")
		w.Acted(act(engine.Outcome{Status: engine.Failed, Detail: "again"}))
		synctest.Wait()
		require.NotNil(t, w.all()[len(w.all())-1].Failed, "at once, without a firing")
		w.Acted(act(engine.Outcome{Status: engine.Done}))
		pass(2 * countsEvery)
		require.Nil(t, w.all()[len(w.all())-1].Failed)
		require.LessOrEqual(t, len(w.all())-n, 3)
	})
}
