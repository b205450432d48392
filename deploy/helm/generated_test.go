package helm_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	rbacv1 "k8s.io/api/rbac/v1"
	"sigs.k8s.io/yaml"

	"github.com/scanflow-k8s/scanflow/cmd/cluster/testcluster"
)

// sources returns what the chart's generated files are made of, by their paths in the chart.
func sources(t *testing.T) map[string][]byte {
	t.Helper()
	out := map[string][]byte{}
	copied := func(to, from string) {
		raw, err := os.ReadFile(from)
		require.NoError(t, err)
		out[to] = raw
	}
	crds, err := filepath.Glob(filepath.Join("..", "crds", "*.yaml"))
	require.NoError(t, err)
	require.NotEmpty(t, crds)
	for _, crd := range crds {
		copied(filepath.Join("files", "crds", filepath.Base(crd)), crd)
	}
	copied(filepath.Join("files", "alerts.yaml"), filepath.Join("..", "prometheus", "alerts.yaml"))
	built, err := testcluster.Shared(t).BuildBinaries(t.Context())
	require.NoError(t, err)
	rights, err := exec.CommandContext(t.Context(), built.Scanflow, "rbac", "-f", filepath.Join("..", "kubernetes", "autoscale", "planner.yaml"), "-o", "values").Output()
	require.NoError(t, err)
	out[filepath.Join("files", "rights.yaml")] = rights
	return out
}

// The chart's files are those of deploy/crds and deploy/prometheus, and what `scanflow rbac`
// prints for the shipped agent.
func TestTheFilesOfTheChartAreGenerated(t *testing.T) {
	want := sources(t)
	for path, content := range want {
		ours := filepath.Join("scanflow", path)
		if *update {
			require.NoError(t, os.WriteFile(ours, content, 0o644))
		}
		got, err := os.ReadFile(ours)
		require.NoError(t, err)
		require.Equal(t, string(content), string(got), "%s: run `go test ./deploy/helm -run FilesOfTheChart -update`", path)
	}
	for _, pattern := range []string{filepath.Join("files", "*.yaml"), filepath.Join("files", "crds", "*")} {
		there, err := filepath.Glob(filepath.Join("scanflow", pattern))
		require.NoError(t, err)
		for _, path := range there {
			rel, err := filepath.Rel("scanflow", path)
			require.NoError(t, err)
			require.Contains(t, want, rel, "nothing generates it")
		}
	}
}

// The rendered definitions have the spec of deploy/crds to the last number, and are kept when
// the release goes, unless the values say otherwise.
func TestTheDefinitionsAreThoseOfDeployCRDs(t *testing.T) {
	read := func(raw []byte) (out map[string]any) {
		require.NoError(t, yaml.Unmarshal(raw, &out))
		return out
	}
	want := map[string]any{}
	crds, err := filepath.Glob(filepath.Join("..", "crds", "*.yaml"))
	require.NoError(t, err)
	for _, crd := range crds {
		raw, err := os.ReadFile(crd)
		require.NoError(t, err)
		o := read(raw)
		want[o["metadata"].(map[string]any)["name"].(string)] = o["spec"]
	}
	for set, kept := range map[string]string{"crds.keep=true": "keep", "crds.keep=false": ""} {
		got := map[string]any{}
		for _, o := range objects(t, render(t, "system", "--set", set))["CustomResourceDefinition"] {
			text, err := yaml.Marshal(o.Object["spec"])
			require.NoError(t, err)
			got[o.GetName()] = read(text)
			require.Equal(t, kept, o.GetAnnotations()["helm.sh/resource-policy"])
		}
		require.Equal(t, want, got)
	}
	require.Empty(t, objects(t, render(t, "system", "--set", "crds.install=false"))["CustomResourceDefinition"])
}

// What `scanflow rbac` grants the process in its own namespace, the chart grants too.
func TestTheProcessHasTheRightsThatRBACPrints(t *testing.T) {
	built, err := testcluster.Shared(t).BuildBinaries(t.Context())
	require.NoError(t, err)
	// The names of the roles are those of the release, and so is the installation's.
	raw, err := exec.CommandContext(t.Context(), built.Scanflow, "rbac", "-f", filepath.Join("..", "kubernetes", "autoscale", "planner.yaml"), "--namespace", "system").Output()
	require.NoError(t, err)
	rules := func(text string) (out []rbacv1.PolicyRule) {
		for _, o := range objects(t, text)["Role"] {
			if o.GetNamespace() == "system" {
				var role rbacv1.Role
				read(t, o.Object, &role)
				out = append(out, role.Rules...)
			}
		}
		return out
	}
	for _, install := range [][]string{nil, {"--set", "shards=3"}} {
		granted := rules(render(t, "system", append([]string{"--set", "fullnameOverride=scanflow"}, install...)...))
		for _, want := range rules(string(raw)) {
			for _, group := range want.APIGroups {
				for _, resource := range want.Resources {
					for _, verb := range want.Verbs {
						require.True(t, slices.ContainsFunc(granted, func(r rbacv1.PolicyRule) bool {
							return slices.Contains(r.APIGroups, group) && slices.Contains(r.Resources, resource) && slices.Contains(r.Verbs, verb)
						}), "%s %s of %q", verb, resource, group)
					}
				}
			}
		}
	}
}
