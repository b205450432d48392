package mlflowtest

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/actuators"
	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/mlflow"
)

// verbs are the verbs of a process that uses the world's tracker.
type verbs struct {
	*world
	offered   map[string]engine.Verb
	published []engine.Event
	deaf      error // what publishing fails with
}

func newVerbs(t testing.TB) *verbs {
	v := &verbs{world: newWorld(t)}
	v.offered = actuators.Offer(actuators.Env{
		MLflow: v.c, Now: v.clock.Now,
		Publish: func(_ context.Context, e engine.Event) error {
			if v.deaf == nil {
				v.published = append(v.published, e)
			}
			return v.deaf
		},
	})
	return v
}

func (v *verbs) proposal(verb, with string) engine.Proposal {
	v.t.Helper()
	p := engine.Proposal{Agent: "ns/executor", Strategy: "t", Primitive: verb, Target: target("digits"), Reason: "newer_is_better", Hops: 3}
	require.NoError(v.t, json.Unmarshal([]byte(with), &p.With))
	require.Empty(v.t, v.offered[verb].Check(p.With))
	p.Identity = engine.Identity(p, v.clock.Now().String())
	return p
}

func (v *verbs) plan(verb, with string) engine.Change {
	v.t.Helper()
	c, err := v.offered[verb].Actuator.Plan(v.ctx(), v.proposal(verb, with))
	require.NoError(v.t, err)
	return c
}

func (v *verbs) refused(verb, with string) error {
	v.t.Helper()
	_, err := v.offered[verb].Actuator.Plan(v.ctx(), v.proposal(verb, with))
	require.Error(v.t, err)
	require.False(v.t, engine.IsRetryable(err), "%v", err)
	return err
}

func (v *verbs) apply(c engine.Change) engine.Outcome {
	v.t.Helper()
	out, err := v.offered[c.Proposal.Primitive].Actuator.Apply(v.ctx(), c)
	require.NoError(v.t, err)
	return out
}

func (v *verbs) do(verb, with string) engine.Change {
	v.t.Helper()
	c := v.plan(verb, with)
	require.False(v.t, c.NoOp, c.Diff)
	require.Equal(v.t, engine.Done, v.apply(c).Status)
	v.clock.Advance(time.Minute)
	return c
}

// registry holds the tracker's state of a model.
type registry struct {
	Aliases map[string]string
	Stages  map[string]string            // by version
	Tags    map[string]map[string]string // by version
}

func (w *world) registry(model string) registry {
	w.t.Helper()
	m, err := w.c.Model(w.ctx(), model)
	require.NoError(w.t, err)
	out := registry{Aliases: m.Aliases, Stages: map[string]string{}, Tags: map[string]map[string]string{}}
	versions, err := w.c.SearchVersions(w.ctx(), "name = "+mlflow.Literal(model), nil, 0)
	require.NoError(w.t, err)
	for _, v := range versions {
		out.Stages[v.Version] = v.Stage
		if len(v.Tags) > 0 {
			out.Tags[v.Version] = v.Tags
		}
	}
	return out
}

func none(n int) map[string]string {
	out := map[string]string{}
	for i := range n {
		out[string(rune('1'+i))] = mlflow.StageNone
	}
	return out
}

func TestVerbsAreOfferedWhereThereIsATracker(t *testing.T) {
	none := actuators.Offer(actuators.Env{})
	offered := newVerbs(t).offered
	for _, verb := range []string{"model.promote", "model.rollback", "run.tag"} {
		require.NotContains(t, none, verb)
		require.Contains(t, offered, verb)
		require.True(t, offered[verb].OneShot, "an event that asked for it does not come again")
	}
}

// Each agent authenticates to the tracker with its own credentials, read for each request.
func TestVerbsShowTheCredentialsOfTheirAgent(t *testing.T) {
	v := newVerbs(t)
	v.versions("digits", 1)
	var mu sync.Mutex
	seen := map[string]int{}
	v.setFault(func(_ http.ResponseWriter, r *http.Request, _ http.Handler) bool {
		mu.Lock()
		defer mu.Unlock()
		seen[r.Header.Get("Authorization")]++
		return false
	})
	var fails error
	v.offered = actuators.Offer(actuators.Env{MLflow: v.c, Now: v.clock.Now, Credentials: func(_ context.Context, agent, url string) (string, error) {
		require.Equal(t, v.url, url)
		return "Bearer of " + agent, fails
	}})
	v.do("model.promote", `{"model": "digits", "version": "1"}`)
	require.Equal(t, []string{"Bearer of ns/executor"}, slices.Collect(maps.Keys(seen)))
	fails = errors.New("no variable TOKEN")
	require.ErrorContains(t, v.refused("model.promote", `{"model": "digits", "version": "1"}`), "no variable TOKEN")
}
