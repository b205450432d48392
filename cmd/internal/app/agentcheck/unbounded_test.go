package agentcheck

import (
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/cmd/internal/app/agentspec"
	"github.com/scanflow-k8s/scanflow/engine/manifest"
	"github.com/scanflow-k8s/scanflow/engine/policy"
	"github.com/scanflow-k8s/scanflow/engine/policy/source"
)

func TestReplicasWithoutABoundGetAWarning(t *testing.T) {
	src, err := source.FromFS(fstest.MapFS{"a.rego": {Data: []byte(`package scanflow.strategies.t.a

verbs := {"scale", "autoscaler", "restart"}

propose contains {"primitive": verb, "with": {}, "reason": "r", "because": []} if some verb in verbs
`)}})()
	require.NoError(t, err)
	rev, err := policy.Draft(t.Context(), src)
	require.NoError(t, err)
	for _, row := range []struct{ primitives, guards, want string }{
		{"scale", "{}", "a.yaml:8:11: spec.guards.replicas.max: is not set, so that scale may ask for any number of replicas; set the most that a target may have"},
		{"scale", "{replicas: {min: 1, stepUp: 2}}", "a.yaml:8:22: spec.guards.replicas.max: is not set, so that scale may"},
		{"autoscaler", "{}", "so that autoscaler may ask"},
		{"scale, autoscaler", "{}", "so that scale and autoscaler may ask"},
		{"scale, autoscaler", "{approval: [scale]}", "so that autoscaler may ask"},
		{"scale", "{approval: [scale]}", ""},
		{"scale, autoscaler", "{replicas: {max: 9}}", ""},
		{"restart", "{}", ""},
	} {
		t.Run(row.primitives+" "+row.guards, func(t *testing.T) {
			agents, err := manifest.ReadBytes("a.yaml", []byte(`apiVersion: scanflow.dev/v1alpha1
kind: Agent
metadata: {name: a, namespace: n}
spec:
  targets: {static: [{name: web}]}
  triggers: [{name: tick, every: 2s}]
  strategies: [t.a]
  guards: `+row.guards+`
  primitives: [`+row.primitives+`]
`), agentspec.Kinds())
			require.NoError(t, err)
			said := Warnings(agents, rev).Error()
			if row.want == "" {
				require.NotContains(t, said, "replicas")
				return
			}
			require.Contains(t, said, row.want)
		})
	}
}
