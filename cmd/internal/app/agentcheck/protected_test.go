package agentcheck

import (
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/cmd/internal/app/agentspec"
	"github.com/scanflow-k8s/scanflow/engine/manifest"
	"github.com/scanflow-k8s/scanflow/engine/policy"
	"github.com/scanflow-k8s/scanflow/engine/policy/source"
)

// What a policy names as a literal is refused before it runs.
func TestProtectedKindsAreRefusedByCheck(t *testing.T) {
	for name, row := range map[string]struct{ target, primitives, object, want string }{
		"a quota":               {"{apiVersion: apps/v1, kind: Deployment, selector: {}}", "[apply]", `{"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "x"}}`, "s.rego:3:111: apply: with.object.kind: ResourceQuota of v1 bounds what a namespace may use, so no policy may write it; let a person write it"},
		"its name is computed":  {"{apiVersion: apps/v1, kind: Deployment, selector: {}}", "[apply]", `{"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": input.target.name}}`, "with.object.kind: ResourceQuota of v1"},
		"its group is computed": {"{apiVersion: apps/v1, kind: Deployment, selector: {}}", "[apply]", `{"apiVersion": concat("/", [input.target.name, "v1"]), "kind": "Secret", "metadata": {"name": "x"}}`, ""},
		"in lower case":         {"{apiVersion: apps/v1, kind: Deployment, selector: {}}", "[apply]", `{"apiVersion": "RBAC.authorization.k8s.io/v1", "kind": "role", "metadata": {"name": "x"}}`, "role of RBAC.authorization.k8s.io/v1 grants permissions"},
		"a verb not allowed":    {"{apiVersion: apps/v1, kind: Deployment, selector: {}}", "[scale]", `{"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "x"}}`, "Secret of v1 holds credentials"},
		"another kind":          {"{apiVersion: apps/v1, kind: Deployment, selector: {}}", "[apply]", `{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "x"}}`, ""},
		"its targets":           {"{apiVersion: v1, kind: Node, selector: {}}", "[annotate, apply]", `{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "x"}}`, "spec.primitives[0]: annotate: Node of v1 is shared by everything that runs on it, so no policy may write it; leave it out, or select another kind"},
	} {
		t.Run(name, func(t *testing.T) {
			src, err := source.FromFS(fstest.MapFS{"s.rego": {Data: []byte("package scanflow.strategies.t.s\n\npropose contains {\"primitive\": \"apply\", \"reason\": \"r\", \"because\": [], \"with\": {\"object\": " + row.object + "}}\n")}})()
			require.NoError(t, err)
			rev, err := policy.Draft(t.Context(), src)
			require.NoError(t, err)
			agents, err := manifest.ReadBytes("a.yaml", []byte(strings.NewReplacer("TARGET", row.target, "PRIMITIVES", row.primitives).Replace(`apiVersion: scanflow.dev/v1alpha1
kind: Agent
metadata: {name: a, namespace: ml}
spec:
  targets: TARGET
  triggers: [{name: tick, every: 10s}]
  strategies: [t.s]
  primitives: PRIMITIVES
`)), agentspec.Kinds())
			require.NoError(t, err)
			err = Verify(agents, rev)
			if row.want == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorContains(t, err, row.want)
		})
	}
}
