package turn

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/engine"
)

// A plan that is refused for another reason is another decision; one that names another time
// is not.
func TestARefusedPlanIsToldAgainForAnotherReason(t *testing.T) {
	gist := func(detail string) string {
		return Gist(&engine.Decision{Strategy: "s", Primitive: "scale", Verdict: engine.Refused, By: byPlan, Detail: detail})
	}
	first := gist("replicas belongs to kubectl, who wrote it after Scanflow did at 2026-11-30T17:53:54Z")
	require.Equal(t, first, gist("replicas belongs to kubectl, who wrote it after Scanflow did at 2026-12-01T08:00:01Z"))
	require.NotEqual(t, first, gist("spec.replicas belongs to HorizontalPodAutoscaler web (2 to 8 replicas)"))
	require.NotEqual(t, first, gist("replicas belongs to kubectl, who wrote it after Scanflow did at 2026-11-30T17:53:54Z; the annotation scanflow.dev/take-over is \"yes\", which is no time"))
}
