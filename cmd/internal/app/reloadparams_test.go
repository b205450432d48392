package app

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/scanflow-k8s/scanflow/cmd/cluster/testcluster"
	"github.com/scanflow-k8s/scanflow/cmd/internal/app/policysource"
)

const boundPolicy = `package scanflow.strategies.t.bound

propose contains {"primitive": "webhook", "with": {"url": "http://127.0.0.1:1/"}, "reason": reason, "because": []} if {
	reason := sprintf("bound_%v", [object.get(input.params, "bound", 4)])
}
`

const boundAgent = `apiVersion: scanflow.dev/v1alpha1
kind: Agent
metadata: {name: keeper, namespace: ns}
spec:
  mode: dry-run
  targets: {static: [{name: web}]}
  triggers: [{name: tick, every: 100ms}]
  strategies: [t.bound]
  primitives: [webhook]
  params: {PARAMS}
`

// nextReason is the reason of the next decision.
func (d *decided) nextReason(t *testing.T) string {
	t.Helper()
	d.mu.Lock()
	d.last = nil
	d.mu.Unlock()
	var reason string
	require.Eventually(t, func() bool {
		d.mu.Lock()
		defer d.mu.Unlock()
		if len(d.last) > 0 {
			reason = d.last[0].Reason
		}
		return reason != ""
	}, 30*time.Second, 5*time.Millisecond)
	return reason
}

// A param of the wrong type is refused at the start, by a reload of the manifests and by
// one of the policies, and the agent keeps the params that it had.
func TestAnAgentKeepsItsParamsWhileNewOnesAreRefused(t *testing.T) {
	dir := t.TempDir()
	agents, policies := filepath.Join(dir, "agents"), filepath.Join(dir, "policies")
	write := func(folder, name, text string) {
		require.NoError(t, os.MkdirAll(folder, 0o755))
		file := filepath.Join(folder, name)
		require.NoError(t, os.WriteFile(file+".new", []byte(text), 0o644))
		require.NoError(t, os.Rename(file+".new", file))
	}
	params := func(params string) { write(agents, "keeper.yaml", strings.ReplaceAll(boundAgent, "PARAMS", params)) }
	log, saw := &heard{}, &decided{}
	begin := func() (*App, error) {
		return start(t, Options{
			Manifests: []string{agents}, Policies: policysource.Source{Paths: []string{policies}}, Data: filepath.Join(dir, "data"),
			Log: hclog.New(&hclog.LoggerOptions{Output: log}),
		}, saw)
	}
	said := func(text string) func() bool {
		return func() bool { _, _, all := log.last(); return strings.Contains(all, text) }
	}
	bound := func() string { return saw.nextReason(t) }
	soon := func(is func() bool, what string) { require.Eventually(t, is, 20*time.Second, 5*time.Millisecond, what) }
	const wrong = `keeper.yaml:10:12: spec.params.bound: is text, "4"; t.bound wants a number (its default is 4)`

	write(policies, "bound.rego", boundPolicy)
	params(`bound: "4"`)
	_, err := begin()
	require.ErrorContains(t, err, wrong, "the start refuses it")

	params(`bound: 5`)
	s, err := begin()
	require.NoError(t, err)
	defer func() { require.NoError(t, s.Stop(t.Context())) }()
	require.Equal(t, "bound_5", bound())

	params(`bound: "4"`)
	soon(func() bool { return s.ReloadStatus().Err != nil }, "the reload refuses it")
	require.ErrorContains(t, s.ReloadStatus().Err, wrong)
	require.Equal(t, "bound_5", bound())

	params(`bound: 6, bond: 7`)
	soon(func() bool { return s.ReloadStatus().Err == nil }, "it is taken once it is right")
	soon(func() bool { return bound() == "bound_6" }, "and holds")
	soon(said("keeper.yaml:10:22: spec.params.bond: nothing that this agent runs reads it"), "what nothing reads is a warning")

	write(policies, "bound.rego", strings.ReplaceAll(boundPolicy, `"bound", 4`, `"bound", "four"`))
	soon(func() bool { return s.Policies.Status().Err != nil }, "policies that mean text by it are refused")
	require.ErrorContains(t, s.Policies.Status().Err, `spec.params.bound: is a number, 6; t.bound wants text (its default is "four")`)
	require.Equal(t, "bound_6", bound())

	params(`bound: six`)
	soon(func() bool { return bound() == "bound_six" }, "with a manifest that goes with them, both are taken")
}

// The same on a cluster, where each agent is refused by itself and its status has the
// reason.
func TestAnAgentOfAClusterKeepsItsParamsWhileNewOnesAreRefused(t *testing.T) {
	c := testcluster.Shared(t)
	c.InstallCRDs(t, "agents", "ledgers")
	ns := c.Namespace(t)
	params := func(params string) {
		c.Apply(t, strings.NewReplacer("namespace: ns", "namespace: "+ns, "PARAMS", params).Replace(boundAgent))
	}
	params(`bound: 5`)
	s, saw := inCluster(t, c, ns, t.TempDir(), boundPolicy, nil, false)
	defer func() { require.NoError(t, s.Stop(context.Background())) }()
	require.Equal(t, "bound_5", saw.nextReason(t))

	params(`bound: "4"`)
	agents := c.Client().Dynamic.Resource(schema.GroupVersionResource{Group: "scanflow.dev", Version: "v1alpha1", Resource: "agents"}).Namespace(ns)
	require.Eventually(t, func() bool {
		found, err := agents.Get(t.Context(), "keeper", metav1.GetOptions{})
		require.NoError(t, err)
		conditions, _, _ := unstructured.NestedSlice(found.Object, "status", "conditions")
		return strings.Contains(fmt.Sprint(conditions), `spec.params.bound: is text, "4"; t.bound wants a number (its default is 4)`)
	}, 30*time.Second, 20*time.Millisecond)
	require.Equal(t, "bound_5", saw.nextReason(t))

	params(`bound: 6`)
	require.Eventually(t, func() bool { return saw.nextReason(t) == "bound_6" }, 30*time.Second, 5*time.Millisecond)
}
