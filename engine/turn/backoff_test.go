package turn

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/memory"
)

// backedOff returns why the back-off refuses a proposal; "" where it does not.
func (a *Agent) backedOff(c *candidate, now time.Time) string {
	c.on = &target{doc: engine.Document{Trigger: &engine.TriggerInfo{}}}
	c.decision = engine.Decision{Verdict: engine.Admitted}
	a.admissionAt(now, 1).backOff(c)
	return c.decision.Detail
}

// ends has the agent remember an act of a candidate.
func (a *Agent) ends(c *candidate, began, ended time.Time, status engine.Status, detail string) {
	in := engine.Intent{Change: engine.Change{Proposal: c.Proposal}, Direction: c.direction(), At: began}
	in.Identity = fmt.Sprint(began, c.Primitive)
	if c.Target.Replicas != nil {
		ready := c.Target.Replicas.Ready
		in.Ready = &ready
	}
	a.Memory.End(&in, engine.Outcome{Status: status, Detail: detail}, ended, false)
}

func unready(from, ready, to int) *candidate {
	c := scaleTo(from, to)
	c.Target.Replicas.Ready = ready
	return c
}

// A strategy that asks for one more at each firing, on pods that stay pending.
func TestBackOffHoldsOneMoreAtEachFiring(t *testing.T) {
	a := guarded(engine.Guards{})
	desired, ended, acts := 1, time.Time{}, []time.Duration(nil)
	for now := epoch; now.Before(epoch.Add(15 * time.Minute)); now = now.Add(10 * time.Second) {
		c := unready(desired, 1, desired+1)
		if now.Before(ended) || a.backedOff(c, now) != "" { // its claim is held meanwhile
			continue
		}
		desired, ended = desired+1, now.Add(time.Minute)
		acts = append(acts, now.Sub(epoch))
		a.ends(c, now, ended, engine.Failed, "1 of 2 ready")
	}
	require.Equal(t, []time.Duration{0, 2 * time.Minute, 5 * time.Minute, 10 * time.Minute}, acts)
}

// The same on pods that crash: each is ready for 30 % of the time, so that the ready count
// goes up and down.
func TestBackOffHoldsOneMoreAtEachFiringInACrashLoop(t *testing.T) {
	for _, from := range []int{1, 2, 3, 6} {
		for seed := range uint64(50) {
			a, r := guarded(engine.Guards{}), rand.New(rand.NewPCG(seed, 0))
			desired, ended, acts := from, time.Time{}, []time.Duration(nil)
			for now := epoch; now.Before(epoch.Add(15 * time.Minute)); now = now.Add(10 * time.Second) {
				ready := 0
				for range desired {
					if r.Float64() < 0.3 {
						ready++
					}
				}
				c := unready(desired, ready, desired+1)
				if now.Before(ended) || a.backedOff(c, now) != "" {
					continue
				}
				desired, ended = desired+1, now.Add(time.Minute)
				acts = append(acts, now.Sub(epoch))
				a.ends(c, now, ended, engine.Failed, "1 of 2 ready")
			}
			require.LessOrEqual(t, len(acts), 5, "from %d replicas, seed %d: %v", from, seed, acts)
		}
	}
}

// Growth after the last failed one came up is admitted, and the pause is of the whole row.
func TestBackOffEndsAtASuccessOnly(t *testing.T) {
	a := guarded(engine.Guards{})
	fails := func(c *candidate, began time.Duration) {
		a.ends(c, epoch.Add(began), epoch.Add(began+time.Minute), engine.Failed, "no room")
	}
	fails(unready(1, 1, 2), 0)
	fails(unready(2, 1, 3), 2*time.Minute)
	require.Contains(t, a.backedOff(unready(3, 2, 4), epoch.Add(3*time.Minute)), "2 times in a row", "2 came up, and 3 did not")
	require.Empty(t, a.backedOff(unready(3, 3, 4), epoch.Add(3*time.Minute)))
	fails(unready(3, 3, 4), 3*time.Minute)
	require.Contains(t, a.backedOff(unready(4, 3, 5), epoch.Add(4*time.Minute)), "3 times in a row")
	require.Empty(t, a.backedOff(unready(2, 3, 3), epoch.Add(4*time.Minute)), "3 came up once")
	fails(unready(4, 4, 3), 4*time.Minute)
	fails(unready(4, 4, 2), 6*time.Minute)
	require.Contains(t, a.backedOff(unready(4, 4, 2), epoch.Add(7*time.Minute)), "scale down failed 2 times in a row", "what is ready is no success of shrinking")
	a.ends(unready(4, 4, 5), epoch.Add(8*time.Minute), epoch.Add(9*time.Minute), engine.Done, "")
	fails(unready(5, 5, 6), 9*time.Minute)
	require.Contains(t, a.backedOff(unready(6, 5, 7), epoch.Add(10*time.Minute)), "failed once")
}

func TestBackOffIsByTargetVerbAndDirection(t *testing.T) {
	other := func(c *candidate) *candidate { c.Strategy = "other"; return c }
	with := func(verb string, with map[string]any) *candidate {
		return &candidate{Proposal: engine.Proposal{Target: engine.Target{Name: "web"}, Primitive: verb, With: with}}
	}
	elsewhere := func(c *candidate) *candidate { c.Target.Name = "api"; return c }
	grew := unready(1, 1, 4)
	for name, row := range map[string]struct {
		failed, next *candidate
		refused      bool
	}{
		"the same":                                    {grew, unready(4, 1, 4+1), true},
		"by another strategy":                         {grew, other(unready(4, 1, 5)), true},
		"another target":                              {grew, elsewhere(unready(4, 1, 5)), false},
		"fewer is the mend":                           {grew, unready(4, 1, 1), false},
		"not as many as failed":                       {grew, unready(1, 1, 3), false},
		"some of them came up":                        {grew, unready(4, 3, 5), true},
		"all came up":                                 {grew, unready(4, 4, 5), false},
		"fewer are ready than before":                 {grew, unready(4, 0, 5), true},
		"shrinking that failed, then growing":         {unready(4, 4, 2), unready(2, 4, 3), false},
		"shrinking that failed, then shrinking":       {unready(4, 4, 2), unready(2, 4, 1), true},
		"a model":                                     {with("model.serve", map[string]any{"version": "2"}), with("model.serve", map[string]any{"version": "2"}), true},
		"the model from before is the mend":           {with("model.serve", map[string]any{"version": "2"}), with("model.serve", map[string]any{"version": "1"}), false},
		"a restart by another strategy":               {with("restart", nil), other(with("restart", nil)), true},
		"another verb":                                {with("restart", nil), with("place", nil), false},
		"without replicas known, the same is refused": {with("scale", map[string]any{"replicas": 2.0}), with("scale", map[string]any{"replicas": 2.0}), true},
	} {
		t.Run(name, func(t *testing.T) {
			a := guarded(engine.Guards{})
			a.ends(row.failed, epoch, epoch.Add(time.Minute), engine.Failed, "no room")
			why := a.backedOff(row.next, epoch.Add(61*time.Second))
			require.Equal(t, row.refused, why != "", why)
			require.Empty(t, a.backedOff(row.next, epoch.Add(2*time.Minute)), "and no longer than it took")
			a.ends(row.failed, epoch, epoch.Add(2*time.Minute), engine.Done, "")
			require.Empty(t, a.backedOff(row.next, epoch.Add(2*time.Minute)), "a success ends it")
		})
	}
}

func TestTheWordsOfABackOff(t *testing.T) {
	a := guarded(engine.Guards{})
	a.ends(scaleTo(1, 2), epoch, epoch.Add(time.Minute), engine.Failed, "not done by its deadline: 1 of 2 ready; exceeded quota: q")
	require.Equal(t, "scale up failed once, and is tried again from 2026-03-01T12:02:00Z on; the last: not done by its deadline: 1 of 2 ready; exceeded quota: q",
		a.backedOff(scaleTo(1, 3), epoch.Add(time.Minute)))
	hook := &candidate{Proposal: engine.Proposal{Target: engine.Target{Name: "web"}, Primitive: "restart"}}
	a.ends(hook, epoch, epoch, engine.Failed, "")
	a.ends(hook, epoch, epoch, engine.Failed, "")
	require.Equal(t, "restart failed 2 times in a row, and is tried again from 2026-03-01T12:00:02Z on", a.backedOff(hook, epoch))
}

// Asking for more that is refused at once waits as before, whatever came up meanwhile.
func TestARefusedGrowthStaysBackedOffAsReplicasComeUp(t *testing.T) {
	a := guarded(engine.Guards{})
	for _, ready := range []int{1, 3, 9} {
		a.ends(unready(ready, ready, ready+1), epoch, epoch, engine.Failed, "denied")
		require.NotEmpty(t, a.backedOff(unready(ready, ready, ready+1), epoch), "%d came up, and one more was denied", ready)
	}
}

// A process that starts knows what its predecessor knew.
func TestBackOffOutlivesARestart(t *testing.T) {
	var r engine.Recollection
	a := guarded(engine.Guards{})
	for i := range 3 {
		began := epoch.Add(time.Duration(i) * 5 * time.Minute)
		c := unready(i+1, 1, i+2)
		a.ends(c, began, began.Add(time.Minute), engine.Failed, "no room")
		in := engine.Intent{Change: engine.Change{Proposal: c.Proposal}, Direction: engine.Up, At: began, Ready: new(int)}
		*in.Ready, in.Target = 1, c.Target.ID().Target()
		r.Acts = append(r.Acts, engine.Act{Intent: in, Outcome: engine.Outcome{Status: engine.Failed, Detail: "no room"}, EndedAt: began.Add(time.Minute)})
	}
	b := guarded(engine.Guards{})
	b.Memory.Load(r, false, 0, nil)
	now := epoch.Add(12 * time.Minute)
	require.Contains(t, a.backedOff(unready(4, 1, 5), now), "scale up failed 3 times in a row, and is tried again from 2026-03-01T12:15:00Z on")
	require.Equal(t, a.backedOff(unready(4, 1, 5), now), b.backedOff(unready(4, 1, 5), now))
	require.NotEmpty(t, b.backedOff(unready(4, 3, 5), now))
	require.Empty(t, b.backedOff(unready(4, 4, 5), now))
	require.Less(t, 16*time.Minute, memory.FailureHorizon)
}
