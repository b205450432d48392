package main

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/engine"
)

// recyclePolicy wants fresh pods while the application says so.
const recyclePolicy = `package scanflow.strategies.t.recycle

propose contains {"primitive": "restart", "with": {}, "reason": "pods_are_old", "because": ["requests_per_second"]} if {
	input.signals.requests_per_second.value < 10
}
`

// infrastructureAgent cares for the pods of the planner's target.
const infrastructureAgent = `apiVersion: scanflow.dev/v1alpha1
kind: Agent
metadata: {name: carer, namespace: digits}
spec:
  layer: infrastructure
  targets: {apiVersion: apps/v1, kind: Deployment, selector: {matchLabels: {app.kubernetes.io/component: predictor}}}
  triggers: [{name: tick, every: 100ms}]
  sensors: [{name: requests_per_second, http: {url: "URL/load", pointer: /load}}]
  strategies: [STRATEGY]
  primitives: [scale, restart]
  params: {requests_per_second_per_replica: 10}
  guards: {cooldown: {restart: 1h, down: 1h}}
`

// Two layers want opposite things of one Deployment: the planner changes what it serves,
// and another agent wants its pods gone. While the change is under way it holds its
// claim, through a crash of the process too, and the other is refused, with the reason;
// once it has ended, the other has its way.
func TestLayersThatWantOppositeThingsTakeTurns(t *testing.T) {
	for name, row := range map[string]struct {
		change                   func(b *bench, d *daemon)
		verb, claim, holds, ends string // of the change; the file that ends it
		strategy, wants          string // of the other
	}{
		"a rollout and fewer replicas": {
			change: func(b *bench, _ *daemon) {
				require.NoError(b.t, b.tracker.SetAlias(b.t.Context(), "digits", "production", "2"))
			},
			verb: "model.serve", claim: "model", holds: "digits/digits model digits/planner model.serve of modeldebug.plan running", ends: "ready",
			strategy: "serving.autoscale", wants: "scale",
		},
		"a retraining and a restart": {
			change: func(b *bench, d *daemon) { b.asks(d, "retrain") },
			verb:   "workflow.run", claim: "workflow/retrain", holds: "digits/digits workflow/retrain digits/planner workflow.run of modeldebug.plan running", ends: "trained",
			strategy: "t.recycle", wants: "restart",
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			require.NoError(t, b.tracker.EnsureModel(t.Context(), "digits"))
			for range 2 {
				_, err := b.tracker.CreateVersion(t.Context(), "digits", "s3://models/digits", "", nil)
				require.NoError(t, err)
			}
			b.write("agents/planner.yaml", strings.Replace(b.read("agents/planner.yaml"), "every: 1m", "every: 200ms", 1))
			b.write("policies/recycle.rego", recyclePolicy)
			b.write("agents/carer.yaml", strings.NewReplacer("URL", b.app.URL, "STRATEGY", row.strategy).Replace(infrastructureAgent))
			b.app.set(`{"load": 15}`) // enough for two pods
			d := b.start()
			claims := func() string {
				out, code := scanflow(t, "claims", "--server", d.url)
				require.Equal(t, 0, code, out)
				return strings.Join(strings.Fields(out), " ")
			}
			refused := func(since time.Time) {
				t.Helper()
				d.until("the other is refused", func() bool {
					rows := b.decisions(row.wants)
					return len(rows) > 0 && rows[0].At.After(since)
				})
			}

			row.change(b, d)
			d.until("the change holds its claim", func() bool { return strings.Contains(claims(), row.holds) })
			b.app.set(`{"load": 5}`)
			refused(time.Time{})
			d.kill()
			again := time.Now()
			d = b.start()
			require.Contains(t, claims(), row.holds, "the claim is there from the first moment on")
			refused(again)
			d.fires("digits/carer", 10)
			require.Contains(t, claims(), row.holds)
			for _, r := range b.decisions(row.wants) {
				require.Equal(t, []string{"refused", "policy:layers", "denied by layers: under_change: digits/planner holds " + row.claim}, []string{string(r.Verdict), r.By, r.Detail})
			}

			b.write(row.ends, "")
			d.until("the other has its turn", func() bool { return d.acts(row.wants, false) == 1 })
			change, other := admitted(t, b.decisions(row.verb)), admitted(t, b.decisions(row.wants))
			require.Equal(t, engine.Done, change.Outcome.Status)
			require.Equal(t, engine.Done, other.Outcome.Status)
			require.False(t, other.At.Before(*change.EndedAt), "it waited for the end of the change")
			require.Contains(t, claims(), "digits/carer "+row.wants+" of "+row.strategy+" cooling")
			d.stop()
		})
	}
}
