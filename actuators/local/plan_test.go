package local

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"
)

// The journal keeps plans: one of an earlier version is verified by this one.
func TestThePlansKeepTheirNames(t *testing.T) {
	for raw, plan := range map[string]any{
		`{"namespace": "test", "name": "web", "replicas": 3}`:                          &scalePlan{},
		`{"namespace": "test", "name": "web", "identity": "a"}`:                        &restartPlan{},
		`{"namespace": "test", "name": "web", "pod": "web-a", "uid": "b", "ready": 2}`: &podPlan{},
		`{"namespace": "test", "route": "models", "weights": {"a": 1}}`:                &trafficPlan{},
		`{"namespace": "test", "name": "web", "version": "4", "was": {"fields": [], "version": "3", "declared": "2"},
			"field": {"container": "c", "env": "E", "argument": "--a=", "wanted": "4", "declared": "2"}}`: &modelPlan{},
		`{"kind": "Deployment", "namespace": "test", "name": "web", "move": true, "runs": [{"name": "r", "was": {}, "to": {}}],
			"next": {"declared": {}, "nodeSelector": {"a": "b"}}, "was": {"declared": {}, "nodeSelector": {"a": "c"}}}`: &placePlan{},
	} {
		require.NoError(t, json.Unmarshal([]byte(raw), plan))
		again, err := json.Marshal(plan)
		require.NoError(t, err)
		require.JSONEq(t, raw, string(again))
	}
}
