package status

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/engine"
)

// The decision that `kubectl get agents` shows of a firing with several.
func TestWhichDecisionTheStatusShows(t *testing.T) {
	admitted := engine.Decision{Verdict: engine.Admitted, Detail: "replicas 1 -> 3"}
	refused := engine.Decision{Verdict: engine.Refused, By: "plan", Detail: "replicas belongs to kubectl"}
	own := engine.Decision{Verdict: engine.Refused, By: "claims", Detail: "replicas is held by scale of ns/planner (running)", HeldBy: &engine.Claim{Agent: "ns/planner", State: "running"}}
	others := engine.Decision{Verdict: engine.Refused, By: "claims", Detail: "replicas is held by scale of ns/other (running)", HeldBy: &engine.Claim{Agent: "ns/other", State: "running"}}
	for name, row := range map[string]struct {
		of   []engine.Decision
		want string // "" leaves the last one there
	}{
		"none":                             {nil, ""},
		"its own act is under way":         {[]engine.Decision{own}, ""},
		"somebody else's is":               {[]engine.Decision{own, others, own}, others.Detail},
		"one that was done":                {[]engine.Decision{refused, admitted, refused, own}, admitted.Detail},
		"the last, where nothing was done": {[]engine.Decision{others, refused}, refused.Detail},
	} {
		t.Run(name, func(t *testing.T) {
			d, is := mostImportant(engine.FiringRecord{Agent: "ns/planner", Decisions: row.of})
			require.Equal(t, row.want != "", is)
			require.Equal(t, row.want, d.Detail)
		})
	}
}
