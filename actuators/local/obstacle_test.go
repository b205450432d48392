package local

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/actuators/local/testlocal"
	"github.com/scanflow-k8s/scanflow/engine"
)

// of is a Deployment of pods with these fields.
func of(spec, container string) string {
	return `
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: test, labels: {tier: web}}
spec:
  replicas: 0
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {` + spec + ` containers: [{name: c, ` + container + `}]}
`
}

func TestAScaleNamesWhatKeepsItsProcessesFromBeingReady(t *testing.T) {
	for name, row := range map[string]struct{ spec, container, want string }{
		"it crashes":          {"", `command: [sh, -c, "exit 3"]`, "2 pods CrashLoopBackOff: exit status 3"},
		"it can't be started": {"", `command: [/no/such/program]`, "2 pods StartError: "},
		"no node fits":        {"nodeSelector: {kubernetes.io/hostname: nowhere},", `command: [sleep, "60"]`, "2 pods Unschedulable: "},
		"it is only starting": {"", `command: [sleep, "60"], readinessProbe: {exec: {command: ["false"]}, periodSeconds: 1}`, ""},
	} {
		t.Run(name, func(t *testing.T) {
			o := testlocal.Open(t, t.TempDir())
			testlocal.Reload(t, o, of(row.spec, row.container))
			a := Scale(o)
			c, err := a.Plan(t.Context(), proposal("scale", "web", map[string]any{"replicas": 2.0}))
			require.NoError(t, err)
			out, err := a.Apply(t.Context(), c)
			require.NoError(t, err)
			testlocal.Eventually(t, row.want, func() bool {
				out, err = a.(engine.Verifier).Verify(t.Context(), c)
				require.NoError(t, err)
				return len(out.Obstacle) >= len(row.want) && out.Obstacle[:len(row.want)] == row.want
			})
			require.Equal(t, engine.Running, out.Status)
			if row.want == "" {
				require.Empty(t, out.Obstacle)
			}
		})
	}
}
