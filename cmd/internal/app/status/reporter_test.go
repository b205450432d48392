package status

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/types"

	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/kubernetes/agentcr"
	"github.com/scanflow-k8s/scanflow/engine/kubernetes/apiclient"
	"github.com/scanflow-k8s/scanflow/engine/manifest"
)

var planner = types.NamespacedName{Namespace: "ns", Name: "planner"}

// written is a reporter whose statuses are kept.
type written struct {
	*Reporter

	lock    sync.Mutex
	written []agentcr.Status
	granted bool
	askErr  error
	asked   int
}

// may answers the question for a right.
func (w *written) may(context.Context, apiclient.Right) (bool, error) {
	w.lock.Lock()
	defer w.lock.Unlock()
	w.asked++
	return w.granted, w.askErr
}

func (w *written) write(_ types.NamespacedName, s agentcr.Status) {
	w.lock.Lock()
	defer w.lock.Unlock()
	w.written = append(w.written, s)
}

// all are the statuses so far.
func (w *written) all() []agentcr.Status {
	w.lock.Lock()
	defer w.lock.Unlock()
	return slices.Clone(w.written)
}

// questions counts the questions so far.
func (w *written) questions() int {
	w.lock.Lock()
	defer w.lock.Unlock()
	return w.asked
}

// answer sets the answers from now on.
func (w *written) answer(granted bool, err error) {
	w.lock.Lock()
	defer w.lock.Unlock()
	w.granted, w.askErr = granted, err
}

// reporting runs a reporter in a bubble of synctest until the test ends.
func reporting(t *testing.T) *written {
	w := &written{}
	w.Reporter = New(Options{
		Write:   w.write,
		Leading: func() bool { return true }, Clock: engine.WallClock{},
		May: w.may,
	})
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { defer close(ended); w.Run(ctx) }()
	t.Cleanup(func() { cancel(); <-ended })
	return w
}

// pass advances the virtual clock of the synctest bubble, and waits for what became due.
func pass(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

func (w *written) judged(j Judgement) {
	w.Judged(planner, j)
	w.Publish("rev")
	synctest.Wait()
}

// known reports what the checks of a healthy agent find.
func (w *written) known() {
	w.Withheld(planner.String(), "", nil, nil)
	w.Probed(planner.String(), "", nil)
	synctest.Wait()
}

// lacks reports an act, admitted at a time, that lacked a right.
func (w *written) lacks(at time.Time) {
	act := engine.Act{Intent: engine.Intent{At: at, Change: engine.Change{Proposal: engine.Proposal{Agent: planner.String()}}}, Outcome: engine.Outcome{MissingRight: denied[0]}}
	w.Acted(act)
	synctest.Wait()
}

// last is "Ready's status and reason, and the other condition" of the last status.
func (w *written) last() string {
	s := w.all()[len(w.all())-1]
	out := ""
	for _, c := range s.Conditions {
		switch c.Type {
		case manifest.Ready:
			out = c.Status + " " + c.Reason
		case manifest.Stalled, manifest.Reconciling:
			out += " " + c.Type
		}
	}
	return out
}

var runs = Judgement{Generation: 1, Running: map[string]any{}, Mode: engine.Enforce}

func TestNothingIsReportedBeforeTheChecks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := reporting(t)
		w.judged(runs)
		require.Empty(t, w.all())
		w.known()
		require.Equal(t, "True Running", w.last())
		n := len(w.all())
		pass(24 * time.Hour)
		w.known()
		require.Len(t, w.all(), n, "no heartbeat")
		require.Zero(t, w.questions())
	})
}

func TestPoliciesMayComeLater(t *testing.T) {
	unfit := Judgement{Generation: 1, Refused: Refusal{ReasonUnfit, "no strategy"}}
	synctest.Test(t, func(t *testing.T) {
		w := reporting(t)
		w.judged(unfit)
		require.Equal(t, "False UnfitForPolicies Reconciling", w.last())
		pass(recentFor - time.Second)
		w.judged(unfit) // other policies are no new start
		require.Equal(t, "False UnfitForPolicies Reconciling", w.last())
		pass(askEvery + 2*time.Second)
		require.Equal(t, "False UnfitForPolicies Stalled", w.last())
		w.judged(runs)
		w.known()
		require.Equal(t, "True Running", w.last())
	})
	synctest.Test(t, func(t *testing.T) { // a process that starts later
		w := reporting(t)
		shown := unfit
		shown.Shown.Conditions = []manifest.Condition{{Type: manifest.Stalled, Status: "True", Reason: ReasonUnfit, ObservedGeneration: 1}}
		w.judged(shown)
		require.Equal(t, "False UnfitForPolicies Stalled", w.last(), "it had its time")
	})
}

func TestARightIsMissingUntilItIsGranted(t *testing.T) {
	lacks := denied[0]
	for name, lose := range map[string]func(*written){
		"targets": func(w *written) { w.Probed(planner.String(), "", []engine.RightError{lacks}) },
		"Secrets": func(w *written) { w.Withheld(planner.String(), "", nil, []engine.RightError{lacks}) },
		"firing": func(w *written) {
			w.Fired(engine.FiringRecord{Agent: planner.String(), At: time.Now(), MissingRights: []engine.RightError{lacks}})
		},
		"act": func(w *written) {
			w.Acted(engine.Act{Intent: engine.Intent{At: time.Now(), Change: engine.Change{Proposal: engine.Proposal{Agent: planner.String()}}}, Outcome: engine.Outcome{MissingRight: lacks}})
		},
		"act under way": func(w *written) {
			w.Stalled(engine.Act{Intent: engine.Intent{At: time.Now(), Change: engine.Change{Proposal: engine.Proposal{Agent: planner.String()}}}, Outcome: engine.Outcome{MissingRight: lacks}})
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := reporting(t)
				w.judged(runs)
				w.known()
				w.answer(true, nil) // a webhook denied it, in RBAC's words
				lose(w)
				synctest.Wait()
				require.Equal(t, "True Running", w.last())
				w.answer(false, nil)
				lose(w)
				synctest.Wait()
				require.Equal(t, "False MissingRight Stalled", w.last())
				require.Len(t, w.all()[len(w.all())-1].MissingRights, 1)
				n := len(w.all())
				for range 100 {
					lose(w)
					pass(askEvery)
				}
				require.Len(t, w.all(), n)
				asked := w.questions()
				for range 100 {
					w.judged(runs)
					w.wakeUp()
					synctest.Wait()
				}
				require.LessOrEqual(t, w.questions(), asked+1, "not more often because other things change")
				w.answer(true, nil)
				pass(2 * askEvery)
				require.Equal(t, "True Running", w.last())
				asked = w.questions()
				pass(24 * time.Hour)
				require.Equal(t, asked, w.questions(), "nothing is asked while nothing is missing")
			})
		})
	}
}

// An edit may remove the need for a right, which the API server would deny for ever. What
// runs after it shows which rights it lacks.
func TestAMissingRightEndsWithTheSpecThatNeededIt(t *testing.T) {
	other := map[string]any{"primitives": []any{"annotate"}}
	refused := Refusal{ReasonInvalid, "spec.mode: no"}
	for name, row := range map[string]struct {
		edited Judgement
		want   string
	}{
		"another spec":                          {Judgement{Generation: 2, Running: other, Mode: engine.Enforce}, "True Running"},
		"paused":                                {Judgement{Generation: 2, Running: other, Mode: engine.Paused}, "True Paused"},
		"the last good spec instead of another": {Judgement{Generation: 1, Running: other, Mode: engine.Enforce}, "True Running"},
		"labels":                                {runs, "False MissingRight Stalled"},
		"a mistake, and the spec runs on":       {Judgement{Generation: 2, Refused: refused, Running: runs.Running, Mode: engine.Enforce}, "False Invalid Stalled"},
		"a mistake, and nothing runs":           {Judgement{Generation: 2, Refused: refused}, "False Invalid Stalled"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := reporting(t)
				w.judged(runs)
				w.known()
				w.lacks(time.Now())
				require.Equal(t, "False MissingRight Stalled", w.last())
				pass(time.Minute)
				w.judged(row.edited)
				w.known()
				pass(time.Hour)
				require.Equal(t, row.want, w.last())
				needed := row.edited.Running != nil && len(row.edited.Running) == len(runs.Running)
				require.Equal(t, needed, len(w.all()[len(w.all())-1].MissingRights) == 1)
				if needed {
					return
				}
				w.lacks(time.Now().Add(-2 * time.Hour))
				w.Fired(engine.FiringRecord{Agent: planner.String(), At: time.Now().Add(-2 * time.Hour), MissingRights: []engine.RightError{denied[0]}})
				w.Probed(planner.String(), "earlier", []engine.RightError{denied[0]})
				w.Withheld(planner.String(), "earlier", []string{"spec.credentials[0]"}, []engine.RightError{denied[0]})
				pass(time.Hour)
				require.Equal(t, row.want, w.last(), "requests of the earlier spec")
				require.Empty(t, w.all()[len(w.all())-1].MissingRights)
				w.lacks(time.Now())
				require.Len(t, w.all()[len(w.all())-1].MissingRights, 1, "it is needed still")
			})
		})
	}
}

// A process that starts, or leads, takes over the missing rights of the spec that runs only.
func TestAMissingRightOfAnotherSpecIsNotTakenOver(t *testing.T) {
	lacked := []manifest.MissingRight{agentcr.MissingRight(denied[0])}
	for name, row := range map[string]struct {
		shown   manifest.Status
		refused Refusal
		want    int
	}{
		"of this spec":                   {manifest.Status{ObservedGeneration: 2, MissingRights: lacked}, Refusal{}, 1},
		"of an earlier one":              {manifest.Status{ObservedGeneration: 1, MissingRights: lacked}, Refusal{}, 0},
		"of the last good one":           {manifest.Status{ObservedGeneration: 2, MissingRights: lacked, LastGood: map[string]any{}}, Refusal{}, 0},
		"of the last good one that runs": {manifest.Status{ObservedGeneration: 2, MissingRights: lacked, LastGood: map[string]any{}}, Refusal{ReasonUnfit, "no strategy"}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := reporting(t)
				j := Judgement{Generation: 2, Refused: row.refused, Running: map[string]any{}, Mode: engine.Enforce, Shown: row.shown}
				w.judged(j)
				w.known()
				pass(time.Hour)
				require.Len(t, w.all()[len(w.all())-1].MissingRights, row.want)
			})
		})
	}
}

// A new leader shows what the cluster shows, until the API server says otherwise.
func TestAMissingRightOutlivesItsLeader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := reporting(t)
		j := runs
		j.Shown.ObservedGeneration, j.Shown.MissingRights = j.Generation, []manifest.MissingRight{agentcr.MissingRight(denied[0])}
		w.judged(j)
		w.known()
		for _, s := range w.all() {
			require.Len(t, s.MissingRights, 1)
		}
		require.Equal(t, "False MissingRight Stalled", w.last())
		w.answer(false, engine.Retry(errors.New("503")))
		pass(time.Hour)
		require.Equal(t, "False MissingRight Stalled", w.last(), "an outage says nothing")
		w.answer(false, errors.New("may not ask"))
		pass(forgetAfter + askEvery)
		require.Equal(t, "True Running", w.last(), "no request lacked it for long")
	})
}

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

// What a process knew of its last term is of no use in the next one: another leader may have
// concluded the acts meanwhile.
func TestATermBeginsWithWhatTheClusterShows(t *testing.T) {
	lacks := []manifest.MissingRight{agentcr.MissingRight(denied[0])}
	for name, row := range map[string]struct {
		before func(*written)
		shown  manifest.Status
		want   string
		rights int
	}{
		"an act that did not get on": {before: func(w *written) {
			w.Stalled(engine.Act{Intent: engine.Intent{Change: engine.Change{Proposal: engine.Proposal{Identity: "one", Agent: planner.String(), Primitive: "scale"}}}, Outcome: engine.Outcome{Status: engine.Running, Obstacle: "exceeded quota"}})
		}, want: "True Running"},
		"counts of a firing": {before: func(w *written) {
			one := engine.TargetCount{Targets: 1, Primitive: "scale"}
			w.Fired(engine.FiringRecord{Agent: planner.String(), At: time.Now(), Revision: "rev", Standing: &engine.Standing{Refused: one, Failed: one, Held: one}})
		}, want: "True Running"},
		"a blocked firing": {before: func(w *written) {
			w.Fired(engine.FiringRecord{Agent: planner.String(), At: time.Now(), Revision: "rev", Blocked: "list targets", Problems: []string{"list targets"}})
		}, want: "True Running"},
		"a decision": {before: func(w *written) {
			w.Fired(engine.FiringRecord{Agent: planner.String(), At: time.Now(), Revision: "rev", Decisions: []engine.Decision{{Verdict: engine.Admitted}}})
		}, want: "True Running"},
		"overlaps":                            {before: func(w *written) { w.Overlaps(planner.String(), []string{"ns/other writes replicas"}) }, want: "True Running"},
		"a right that the next leader found":  {before: func(*written) {}, shown: manifest.Status{ObservedGeneration: 1, MissingRights: lacks}, want: "False MissingRight Stalled", rights: 1},
		"a right that was granted since":      {before: func(w *written) { w.lacks(time.Now()) }, shown: manifest.Status{ObservedGeneration: 1}, want: "True Running"},
		"a right of a spec that runs no more": {before: func(*written) {}, shown: manifest.Status{MissingRights: lacks}, want: "True Running"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := reporting(t)
				w.judged(runs)
				w.known()
				pristine := w.all()[len(w.all())-1]
				row.before(w)
				pass(2 * countsEvery)
				if row.shown.MissingRights == nil {
					require.NotEqual(t, pristine, w.all()[len(w.all())-1])
				}
				w.TermBegins()
				n := len(w.all())
				w.known()
				w.Fired(engine.FiringRecord{Agent: planner.String(), At: time.Now(), Targets: 3, Revision: "rev"})
				require.Len(t, w.all(), n, "nothing is written before the cluster's status is known")
				j := runs
				j.Shown = row.shown
				w.judged(j)
				w.known()
				require.Equal(t, row.want, w.last())
				s := w.all()[len(w.all())-1]
				require.Len(t, s.MissingRights, row.rights)
				if row.rights == 0 {
					pristine.Targets = 3
					require.Equal(t, pristine, s)
				}
				w.Fired(engine.FiringRecord{Agent: planner.String(), At: time.Now(), Targets: 4, Revision: "rev", Standing: &engine.Standing{}})
				s = w.all()[len(w.all())-1]
				require.Nil(t, s.Refused)
				require.Nil(t, s.Failed)
				require.Nil(t, s.Held)
			})
		})
	}
}

func TestWhatBlocksAnAgentPasses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := reporting(t)
		w.judged(runs)
		w.known()
		for range 10 {
			w.Fired(engine.FiringRecord{Agent: planner.String(), Revision: "rev", Blocked: "list targets: no kind", Problems: []string{"list targets: no kind"}})
		}
		require.Equal(t, "False Blocked Reconciling", w.last())
		n := len(w.all())
		w.Fired(engine.FiringRecord{Agent: planner.String(), Revision: "rev", Problems: []string{"sensor load: refused"}})
		require.Equal(t, "True Running", w.last(), "a sensor that fails does not count")
		require.Len(t, w.all(), n+1)
	})
}
