package loop_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"testing/fstest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/journal"
	"github.com/scanflow-k8s/scanflow/engine/loop"
	"github.com/scanflow-k8s/scanflow/engine/policy"
	"github.com/scanflow-k8s/scanflow/engine/policy/source"
	"github.com/scanflow-k8s/scanflow/engine/queue"
)

// applied is an actuator that sends the time at which it was applied.
type applied chan time.Time

func (applied) Plan(context.Context, engine.Proposal) (engine.Change, error) {
	return engine.Change{Diff: "note the time"}, nil
}

func (a applied) Apply(context.Context, engine.Change) (engine.Outcome, error) {
	a <- time.Now()
	return engine.Outcome{Status: engine.Done}, nil
}

// BenchmarkEventToAct measures the delay from an event's arrival to the act that an
// agent does on it, one event after the other, all of it durable: the inbox, the
// decision and its intent are on disk before the act. p50 and p99 are in milliseconds;
// sync is one fsynced write to the same journal; an event needs two.
func BenchmarkEventToAct(b *testing.B) {
	j, err := journal.Open(b.Context(), b.TempDir(), journal.Options{})
	require.NoError(b, err)
	policies := policy.NewStore(source.FromFS(fstest.MapFS{"p.rego": {Data: []byte(answering)}}), policy.StoreOptions{})
	require.NoError(b, policies.Load(b.Context()))
	acts := make(applied, 1)
	h := loop.New(loop.Config{Journal: j, Policies: policies, Verbs: func(*queue.Router) map[string]engine.Verb { return map[string]engine.Verb{"hook": {Actuator: acts}} }})
	h.Apply([]engine.Spec{{
		AgentInfo: engine.AgentInfo{Namespace: "ns", Name: "answerer"}, Mode: engine.Enforce, Fleet: engine.StaticFleet{{Namespace: "ns", Name: "web"}},
		Triggers:   []engine.Trigger{{Name: "asked", Event: &engine.EventFilter{Types: []string{"asked"}}}},
		Strategies: []string{"t.answering"}, Primitives: []string{"hook"},
	}})
	defer func() { h.Close(); require.NoError(b, j.Close()) }()

	var took, sync []time.Duration
	for i := range max(b.N, 500) {
		begin := time.Now()
		require.NoError(b, j.SaveReadings(b.Context(), "bench", []byte("x")))
		sync = append(sync, time.Since(begin))
		e := engine.Event{ID: fmt.Sprint(i), Source: "/bench", Type: "asked", Time: time.Now(), Sender: "ns/asker"}
		begin = time.Now()
		require.NoError(b, h.Router.Publish(b.Context(), e))
		took = append(took, (<-acts).Sub(begin))
	}
	slices.Sort(took)
	slices.Sort(sync)
	ms := func(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
	b.ReportMetric(ms(took[len(took)/2]), "p50-ms")
	b.ReportMetric(ms(took[len(took)*99/100]), "p99-ms")
	b.ReportMetric(ms(sync[len(sync)/2]), "sync-p50-ms")
	b.ReportMetric(ms(sync[len(sync)*99/100]), "sync-p99-ms")
}
