package status

import (
	"context"
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
