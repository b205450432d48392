package turn

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/engine"
)

// reviewing is a revision whose guards say always the same.
type reviewing struct {
	engine.Revision
	review engine.Review
}

func (r reviewing) Review(context.Context, *engine.Document, engine.Proposal) engine.Review {
	return r.review
}

// clampTo is the answer of a guard that bounds the replicas.
func clampTo(from, to float64, bound string) engine.Review {
	return engine.Review{
		Clamps: []engine.Clamp{{Path: []string{"replicas"}, Proposed: from, Clamped: to, Bound: bound, Guard: "schedule", Reason: "weekend"}},
		With:   map[string]any{"replicas": to},
	}
}

func TestAGuardInRegoClamps(t *testing.T) {
	for name, row := range map[string]struct {
		from, asked int
		guards      engine.Guards
		review      engine.Review
		verdict     engine.Verdict
		by, detail  string
		want        float64
		direction   engine.Direction
	}{
		"less of a growth": {from: 2, asked: 9, review: clampTo(9, 4, "max 4"), verdict: engine.Admitted, by: "policy:schedule", detail: "clamped from 9 to 4: max 4 by schedule (weekend)", want: 4, direction: engine.Up},
		"a floor turns fewer into more": {from: 2, asked: 1, review: clampTo(1, 3, "min 3"), verdict: engine.Admitted, by: "policy:schedule",
			detail: "clamped from 1 to 3: min 3 by schedule (weekend)", want: 3, direction: engine.Up},
		"a ceiling turns more into fewer": {from: 8, asked: 9, review: clampTo(9, 6, "max 6"), verdict: engine.Admitted, by: "policy:schedule", detail: "clamped from 9 to 6: max 6 by schedule (weekend)", want: 6, direction: engine.Down},
		"what there is already":           {from: 3, asked: 1, review: clampTo(1, 3, "min 3"), verdict: engine.Refused, by: "policy:schedule", detail: "asked for 1 replicas, has 3: min 3 by schedule (weekend)", want: 1, direction: engine.Down},
		"the manifest's bounds come after": {from: 2, asked: 1, guards: engine.Guards{Replicas: &engine.ReplicaGuard{Max: 4, StepUp: 1}}, review: clampTo(1, 6, "min 6"), verdict: engine.Admitted, by: "guards.replicas",
			detail: "clamped from 1 to 6: min 6 by schedule (weekend); clamped from 6 to 3: max 4, stepUp 1", want: 3, direction: engine.Up},
		"the manifest's max is what there is": {from: 4, asked: 1, guards: engine.Guards{Replicas: &engine.ReplicaGuard{Max: 4}}, review: clampTo(1, 6, "min 6"), verdict: engine.Refused, by: "guards.replicas",
			detail: "asked for 6 replicas, has 4: max 4 (clamped from 1 to 6: min 6 by schedule (weekend))", want: 6, direction: engine.Up},
		"denied after it": {from: 2, asked: 9, review: engine.Review{Clamps: clampTo(9, 4, "max 4").Clamps, With: clampTo(9, 4, "").With, Denials: []engine.Denial{{Guard: "nights", Reason: "frozen"}}},
			verdict: engine.Refused, by: "policy:nights", detail: "denied by nights: frozen (clamped from 9 to 4: max 4 by schedule (weekend))", want: 9, direction: engine.Up},
		"a part of a replica": {from: 2, asked: 9, review: clampTo(9, 2.5, "max 2.5"), verdict: engine.Refused, by: "policy:schedule",
			detail: "clamped from 9 to 2.5: max 2.5 by schedule (weekend), and then: replicas is no whole number", want: 9, direction: engine.Up},
	} {
		t.Run(name, func(t *testing.T) {
			c := scaleTo(row.from, row.asked)
			c.verb.Check = func(with map[string]any) []string {
				if f := with["replicas"].(float64); f != float64(int(f)) {
					return []string{"replicas is no whole number"}
				}
				return nil
			}
			before := c.With
			review(t.Context(), reviewing{review: row.review}, c, &engine.Document{})
			if c.live() {
				guarded(row.guards).bound(c)
			}
			require.Equal(t, row.verdict, c.decision.Verdict, c.decision.Detail)
			require.Equal(t, row.by, c.decision.By)
			require.Equal(t, row.detail, c.decision.Detail)
			require.EqualValues(t, row.want, c.With["replicas"])
			require.Equal(t, row.direction, c.direction(), "of the number that is left")
			require.EqualValues(t, row.asked, before["replicas"], "the proposal is kept for later turns")
			if row.verdict == engine.Admitted {
				require.EqualValues(t, row.asked, c.decision.Proposed["replicas"], "what was asked for is on record")
				require.EqualValues(t, row.want, c.decision.With["replicas"])
			}
		})
	}
}

// The cooldown of an act that a floor turned around is that of its new direction.
func TestCooldownOfAClampedAct(t *testing.T) {
	a := guarded(engine.Guards{Cooldown: map[string]time.Duration{"up": time.Minute}})
	m := a.Memory.Of(engine.TargetID{Name: "web"})
	m.Add(&engine.Intent{Change: engine.Change{Proposal: engine.Proposal{Identity: "1", Primitive: "scale"}}, Direction: engine.Up, At: epoch}, time.Hour)
	c := scaleTo(2, 1)
	a.try(c, epoch.Add(30*time.Second), 1)
	require.Equal(t, engine.Admitted, c.decision.Verdict, "down has no cooldown here")
	c = scaleTo(2, 1)
	review(t.Context(), reviewing{review: clampTo(1, 3, "min 3")}, c, &engine.Document{})
	a.try(c, epoch.Add(30*time.Second), 1)
	require.Equal(t, "guards.cooldown", c.decision.By, c.decision.Detail)
}
