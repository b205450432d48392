package main

import (
	"bytes"
	"context"
	"flag"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	sigsyaml "sigs.k8s.io/yaml"

	"github.com/scanflow-k8s/scanflow/cmd/cluster/testcluster"
	"github.com/scanflow-k8s/scanflow/cmd/internal/app/agentspec"
	"github.com/scanflow-k8s/scanflow/deploy"
	"github.com/scanflow-k8s/scanflow/engine/manifest"
)

var updateCRD = flag.Bool("update", false, "write deploy/crds/agents.yaml")

var shippedCRD = filepath.Join("..", "..", "deploy", "crds", "agents.yaml")

func crd(t *testing.T, args ...string) (string, error) {
	t.Helper()
	var out bytes.Buffer
	c := newCRD()
	c.SetOut(&out)
	c.SetErr(&out)
	c.SilenceUsage, c.SilenceErrors = true, true
	c.SetArgs(append([]string{}, args...)) // nil would be the test's own
	err := c.Execute()
	return out.String(), err
}

// The definition that ships is the one that the code makes.
func TestShippedCRDIsTheGeneratedOne(t *testing.T) {
	text, err := crd(t)
	require.NoError(t, err)
	if *updateCRD {
		require.NoError(t, os.MkdirAll(filepath.Dir(shippedCRD), 0o755))
		require.NoError(t, os.WriteFile(shippedCRD, []byte(text), 0o644))
	}
	shipped, err := os.ReadFile(shippedCRD)
	require.NoError(t, err)
	require.Equal(t, text, string(shipped), "run `go test ./cmd/scanflow -run CRD -update`")

	_, err = crd(t, "--check", shippedCRD)
	require.NoError(t, err)
	other := filepath.Join(t.TempDir(), "agents.yaml")
	require.NoError(t, os.WriteFile(other, []byte(text+"\n"), 0o644))
	_, err = crd(t, "--check", other)
	require.ErrorContains(t, err, other+" is not what the code says")
	_, err = crd(t, "--check", filepath.Join(t.TempDir(), "nowhere.yaml"))
	require.ErrorIs(t, err, os.ErrNotExist)
}

// An API server takes the definition that ships, and by it every agent that ships,
// none of whose fields it drops.
func TestShippedCRDTakesTheShippedAgents(t *testing.T) {
	c := testcluster.New(t)
	c.InstallCRDs(t, "agents")
	definition, err := c.Client().Dynamic.Resource(schema.GroupVersionResource{Group: "apiextensions.k8s.io", Version: "v1", Resource: "customresourcedefinitions"}).
		Get(context.Background(), manifest.CRDName, metav1.GetOptions{})
	require.NoError(t, err)
	conditions, _, err := unstructured.NestedSlice(definition.Object, "status", "conditions")
	require.NoError(t, err)
	for _, condition := range conditions {
		require.NotEqual(t, "NonStructuralSchema", condition.(map[string]any)["type"], "%v", condition)
	}

	tried := 0
	require.NoError(t, fs.WalkDir(deploy.FS, ".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || filepath.Ext(path) != ".yaml" {
			return err
		}
		text, err := fs.ReadFile(deploy.FS, path)
		require.NoError(t, err)
		for _, document := range strings.Split(string(text), "\n---\n") {
			agent := &unstructured.Unstructured{}
			require.NoError(t, sigsyaml.Unmarshal([]byte(document), &agent.Object), path)
			if agent.GetAPIVersion() != manifest.APIVersion {
				continue
			}
			tried++
			stored := stored(t, c, agent)
			raw, err := stored.MarshalJSON()
			require.NoError(t, err)
			got, mistakes := manifest.ReadObject(path, raw, agentspec.Kinds())
			require.NoError(t, mistakes.Err(), path)
			want, err := manifest.ReadBytes(path, []byte(document), agentspec.Kinds())
			require.NoError(t, err)
			require.Equal(t, generation(t, want[0]), generation(t, got), path)
		}
		return nil
	}))
	require.Positive(t, tried)

	for name, row := range map[string]struct{ sustained, says string }{
		"numbers":           {"{over: 1m, above: 0, below: -2.5}", ""},
		"params":            {"{over: 1m, above: {param: low}}", ""},
		"no span":           {"{over: 0s}", "must be more than 0s; write a span like 1m"},
		"a span of no unit": {"{over: '60'}", "must be a duration with a unit"},
		"a misspelt field":  {"{over: 1m, abvoe: 1}", `unknown field "spec.sensors[0].sustained.abvoe"`},
	} {
		text := `{apiVersion: scanflow.dev/v1alpha1, kind: Agent, metadata: {name: a, namespace: default}, spec: {targets: {static: [{name: web}]}, triggers: [{name: tick, every: 10s}],
			params: {low: 5}, sensors: [{name: load, sustained: ` + row.sustained + `, scrape: {port: http, metric: m}}, {name: pods, scrape: {port: http, metric: m, by: pod}}]}}`
		agent := &unstructured.Unstructured{}
		require.NoError(t, sigsyaml.Unmarshal([]byte(text), &agent.Object), name)
		kept, err := created(c, agent)
		if row.says != "" {
			require.ErrorContains(t, err, row.says, name)
			continue
		}
		require.NoError(t, err, name)
		raw, err := kept.MarshalJSON()
		require.NoError(t, err)
		got, mistakes := manifest.ReadObject("a.yaml", raw, agentspec.Kinds())
		require.NoError(t, mistakes.Err(), name)
		want, err := manifest.ReadBytes("a.yaml", []byte(text), agentspec.Kinds())
		require.NoError(t, err)
		require.Equal(t, generation(t, want[0]), generation(t, got), name)
	}
}

func generation(t *testing.T, a *manifest.Agent) string {
	t.Helper()
	out, err := a.Generation()
	require.NoError(t, err)
	return out
}

// stored is the agent as the server would keep it. Two scenarios may ship an agent of
// one name, so none is kept.
func stored(t *testing.T, c *testcluster.Cluster, agent *unstructured.Unstructured) *unstructured.Unstructured {
	t.Helper()
	c.Apply(t, "apiVersion: v1\nkind: Namespace\nmetadata: {name: "+agent.GetNamespace()+"}\n")
	out, err := created(c, agent)
	require.NoError(t, err)
	return out
}

func created(c *testcluster.Cluster, agent *unstructured.Unstructured) (*unstructured.Unstructured, error) {
	return c.Client().Dynamic.Resource(schema.GroupVersionResource{Group: "scanflow.dev", Version: "v1alpha1", Resource: manifest.Plural}).
		Namespace(agent.GetNamespace()).Create(context.Background(), agent, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}, FieldValidation: metav1.FieldValidationStrict})
}
