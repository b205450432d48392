package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
)

func rbacOutput(t *testing.T, args ...string) []byte {
	t.Helper()
	var out bytes.Buffer
	c := newRBAC()
	c.SetOut(&out)
	c.SetArgs(args)
	require.NoError(t, c.Execute())
	return out.Bytes()
}

// granted lists the rights that the roles of some objects grant, one verb a line.
func granted(t *testing.T, text []byte) []string {
	t.Helper()
	var out []string
	for decoder := utilyaml.NewYAMLOrJSONDecoder(bytes.NewReader(text), 4096); ; {
		var role rbacv1.Role // a ClusterRole has the same fields
		if err := decoder.Decode(&role); errors.Is(err, io.EOF) {
			break
		} else {
			require.NoError(t, err)
		}
		if role.Kind != "Role" && role.Kind != "ClusterRole" {
			continue
		}
		for _, r := range role.Rules {
			for _, group := range r.APIGroups {
				for _, resource := range r.Resources {
					for _, verb := range r.Verbs {
						out = append(out, fmt.Sprintf("%s %q %s/%s %v %s", role.Kind, role.Namespace, group, resource, r.ResourceNames, verb))
					}
				}
			}
		}
	}
	require.NotEmpty(t, out)
	slices.Sort(out)
	return slices.Compact(out)
}

// chart renders the Helm chart into a namespace by helm's own command.
func chart(t *testing.T, namespace string, args ...string) []byte {
	t.Helper()
	c := exec.Command("go", append([]string{"tool", "-modfile=" + filepath.Join("..", "..", ".ci", "tools", "go.mod"), "helm",
		"template", "scanflow", filepath.Join("..", "..", "deploy", "helm", "scanflow"), "--namespace", namespace}, args...)...)
	home := t.TempDir()
	c.Env = append(os.Environ(), "HELM_CACHE_HOME="+home, "HELM_CONFIG_HOME="+home, "HELM_DATA_HOME="+home)
	var said bytes.Buffer
	c.Stderr = &said
	out, err := c.Output()
	require.NoError(t, err, said.String())
	return out
}

// The chart grants what `scanflow rbac` says, to the verb: of the scenario's agents by
// its default values, and of any others by the values that are printed.
func TestTheChartGrantsWhatIsNeeded(t *testing.T) {
	everywhere := filepath.Join(t.TempDir(), "agents.yaml")
	require.NoError(t, os.WriteFile(everywhere, []byte(`
apiVersion: scanflow.dev/v1alpha1
kind: Agent
metadata: {name: fleet, namespace: digits}
spec:
  targets: {apiVersion: serving.kserve.io/v1beta1, kind: InferenceService, namespace: "*", selector: {}}
  triggers: [{name: tick, every: 2s}]
  primitives: [scale, restart, webhook]
  guards: {urls: ["https://hooks.example.com/"]}
  credentials: [{url: "https://hooks.example.com/", bearerToken: {secretKeyRef: {name: hook, key: token}}}]
`), 0o600))
	scenario := filepath.Join("..", "..", "deploy", "kubernetes", "autoscale", "planner.yaml")
	for name, row := range map[string]struct {
		agents   string
		defaults bool
	}{
		"the scenario, by default": {agents: scenario, defaults: true},
		"the scenario":             {agents: scenario},
		"every namespace":          {agents: everywhere},
	} {
		t.Run(name, func(t *testing.T) {
			// Roles for people are no rights of the process.
			args := []string{"--set", "rbac.aggregate.view=false", "--set", "watchNamespace=digits"}
			if !row.defaults {
				values := filepath.Join(t.TempDir(), "rights.yaml")
				require.NoError(t, os.WriteFile(values, rbacOutput(t, "-f", row.agents, "-o", "values"), 0o600))
				args = append(args[:2], "-f", values)
			}
			want := granted(t, rbacOutput(t, "-f", row.agents, "--namespace", "system"))
			require.Empty(t, cmp.Diff(want, granted(t, chart(t, "system", args...))))
		})
	}
}

// What the chart starts is a command line that there is.
func TestTheChartStartsWhatThereIs(t *testing.T) {
	values := filepath.Join("..", "..", "deploy", "helm", "testdata", "values")
	for _, file := range []string{"default", "everything", "shards", "least"} {
		var pod corev1.PodSpec
		for decoder := utilyaml.NewYAMLOrJSONDecoder(bytes.NewReader(chart(t, "system", "-f", filepath.Join(values, file+".yaml"))), 4096); ; {
			var workload appsv1.Deployment // a StatefulSet has the same template
			err := decoder.Decode(&workload)
			if errors.Is(err, io.EOF) {
				break
			}
			if workload.Kind == "Deployment" || workload.Kind == "StatefulSet" {
				require.NoError(t, err)
				pod = workload.Spec.Template.Spec
			}
		}
		require.NotEmpty(t, pod.Containers) // a release may have more, which are its user's
		require.Equal(t, []string{"scanflow"}, pod.Containers[0].Command)
		args := pod.Containers[0].Args
		for i, a := range args {
			args[i] = strings.ReplaceAll(a, "$(SHARD)", "2")
		}
		run, rest, err := newRoot().Find(args)
		require.NoError(t, err)
		require.Equal(t, "run", run.Name())
		require.NoError(t, run.ParseFlags(rest), args)
		require.Empty(t, run.Flags().Args())
		kubernetes, err := run.Flags().GetBool("kubernetes")
		require.NoError(t, err)
		require.True(t, kubernetes)
	}
}
