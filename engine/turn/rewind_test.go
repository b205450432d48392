package turn

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/engine"
)

// When the clock is set back, a wait in progress counts from then, so it never exceeds its length.
func TestNoGuardWaitsLongerThanItsLength(t *testing.T) {
	const length = time.Minute
	for name, g := range map[string]engine.Guards{
		"cooldown": {Cooldown: map[string]time.Duration{"up": length}},
		"budget":   {Budget: &engine.BudgetGuard{Actions: 1, Per: length}},
		"fleet":    {Fleet: &engine.FleetGuard{Targets: 1, Per: length}},
		"backoff":  {},
	} {
		for _, by := range []time.Duration{time.Second, time.Minute, 365 * 24 * time.Hour} {
			t.Run(fmt.Sprint(name, " by ", by), func(t *testing.T) {
				a, fleet, other := guarded(g), 1, scaleTo(1, 2)
				if name == "fleet" {
					other.Target.Name, fleet = "other", 2
				}
				in := &engine.Intent{Change: engine.Change{Proposal: scaleTo(1, 2).Proposal}, Direction: engine.Up, At: epoch.Add(by)}
				in.Identity = "act"
				status := engine.Done
				if name == "backoff" {
					status = engine.Failed
				}
				a.Memory.Of(in.Target.ID()).Add(in, g.Horizon())
				a.Memory.End(in, engine.Outcome{Status: status}, epoch.Add(by), false)
				refused := func(now time.Time) bool {
					c := *other
					c.decision = engine.Decision{Verdict: engine.Admitted, With: c.With}
					a.try(&c, now, fleet)
					if c.live() {
						c.on = &target{doc: engine.Document{Trigger: &engine.TriggerInfo{}}}
						a.admissionAt(now, fleet).backOff(&c)
					}
					return !c.live()
				}
				a.Memory.Rewind(epoch)
				require.True(t, refused(epoch), "it waits from now on")
				docs, _ := a.Memory.Documents([]engine.TargetID{in.Target.ID()})
				require.Equal(t, epoch.UnixNano(), docs[0][in.Strategy].Last["scale"].AtNS, "and no document has a time in the future")
				require.False(t, refused(epoch.Add(length)), "and no longer")
			})
		}
	}
}
