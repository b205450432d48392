package status

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/kubernetes/agentcr"
	"github.com/scanflow-k8s/scanflow/engine/manifest"
)

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
