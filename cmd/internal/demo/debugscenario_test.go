package demo

import (
	"maps"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/cmd/internal/app/agentspec"
	"github.com/scanflow-k8s/scanflow/engine/manifest"
)

// The demos run the objects that kustomize renders from the folders, except for those that only
// a user's own cluster needs: the shipped agents and workloads of S1 with a route, and for a day
// a slower server and another agent.
func TestDebuggingScenariosAreLaidOutByKustomize(t *testing.T) {
	for scenario, row := range map[string]struct {
		agents   map[string]time.Duration
		replicas string
		args     string
	}{
		"drift": {map[string]time.Duration{"tracker": 3 * time.Second, "checker": 3 * time.Second, "planner": 3 * time.Second, "executor": 3 * time.Second}, "replicas: 2", "--grace=5s\n"},
		"day": {map[string]time.Duration{"tracker": 3 * time.Second, "checker": 3 * time.Second, "planner": 3 * time.Second, "executor": 3 * time.Second, "scaler": time.Second},
			"replicas: 1", "--work=5ms\n"},
	} {
		t.Run(scenario, func(t *testing.T) {
			dir := t.TempDir()
			f, err := writeDebugFiles(&Options{Speed: 2, Seed: 7}, dir, scenario, "http://127.0.0.1:1234")
			require.NoError(t, err)
			agents, err := manifest.Read([]string{f.agents}, agentspec.Kinds())
			require.NoError(t, err)
			every := map[string]time.Duration{}
			for _, a := range agents {
				every[a.Metadata.Name] = a.Spec.Triggers[0].Every.Duration
			}
			require.Equal(t, row.agents, every)
			files := map[string]string{}
			list, err := os.ReadDir(f.workloads)
			require.NoError(t, err)
			for _, e := range list {
				files[e.Name()] = read(t, f.workloads+"/"+e.Name())
			}
			require.Equal(t, []string{"deployment-digits.yaml", "httproute-digits.yaml", "service-digits.yaml", "workflowtemplate-detect.yaml", "workflowtemplate-retrain.yaml"},
				slices.Sorted(maps.Keys(files)), "and no Namespace")
			for name, text := range files {
				for _, foreign := range []string{"securityContext", "volumes", "volumeMounts", "mlflow.svc"} {
					require.NotContains(t, text, foreign, name)
				}
			}
			require.Contains(t, files["deployment-digits.yaml"], row.replicas)
			require.Contains(t, files["deployment-digits.yaml"], row.args)
			for _, name := range []string{"deployment-digits.yaml", "workflowtemplate-detect.yaml", "workflowtemplate-retrain.yaml"} {
				require.Contains(t, files[name], "http://127.0.0.1:1234", name)
			}
			require.Contains(t, files["workflowtemplate-retrain.yaml"], `value: "7"`)
		})
	}
}
