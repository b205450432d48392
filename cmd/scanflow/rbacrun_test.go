package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/scanflow-k8s/scanflow/cmd/cluster/testcluster"
)

const (
	// twoAgent wants two replicas of each of its targets, whatever happens.
	twoAgent = `
apiVersion: scanflow.dev/v1alpha1
kind: Agent
metadata: {name: two, namespace: digits}
spec:
  targets: {apiVersion: apps/v1, kind: Deployment, selector: {}}
  triggers: [{name: tick, every: 500ms}]
  strategies: [serving.two]
  primitives: [scale]
`
	twoPolicy = `# METADATA
# scope: package
# title: Two
package scanflow.strategies.serving.two

propose contains {"primitive": "scale", "with": {"replicas": 2}, "reason": "two", "because": []} if input.target.name != ""
`
	oneWorkload = `
apiVersion: apps/v1
kind: Deployment
metadata: {name: one, namespace: digits}
spec:
  selector: {matchLabels: {app: one}}
  template:
    metadata: {labels: {app: one}}
    spec: {containers: [{name: c, image: none}]}
`
)

// With what `scanflow rbac` prints, and no more, `scanflow run` leads, acts and tells
// of it, and is never refused anything.
func TestTheRolesAreEnoughToRun(t *testing.T) {
	t.Run("in one namespace", func(t *testing.T) { runWithRolesAlone(t, twoAgent, "--namespace", "digits") })
	t.Run("in every namespace", func(t *testing.T) {
		runWithRolesAlone(t, strings.Replace(twoAgent, "kind: Deployment,", `kind: Deployment, namespace: "*",`, 1))
	})
}

func runWithRolesAlone(t *testing.T, agent string, flags ...string) {
	c := testcluster.New(t)
	c.InstallCRDs(t, "agents", "ledgers")
	c.KwokNodes(t, 1)
	dir := t.TempDir()
	manifest, policies, log := filepath.Join(dir, "agent.yaml"), filepath.Join(dir, "policies"), filepath.Join(dir, "log")
	require.NoError(t, os.WriteFile(manifest, []byte(agent), 0o600))
	require.NoError(t, os.Mkdir(policies, 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(policies, "two.rego"), []byte(twoPolicy), 0o600))
	c.Apply(t, "{apiVersion: v1, kind: Namespace, metadata: {name: digits}}")
	c.Apply(t, "{apiVersion: v1, kind: Namespace, metadata: {name: scanflow}}")
	c.Apply(t, string(rbacOutput(t, "-f", manifest)))
	c.Apply(t, oneWorkload)
	c.Apply(t, agent)

	out, err := os.Create(log)
	require.NoError(t, err)
	run := command(t, append([]string{
		"run", "--kubernetes", "--kubeconfig", c.KubeconfigFor(t, "scanflow", "scanflow"),
		"--policies", policies, "--data", filepath.Join(dir, "data"), "--listen", "127.0.0.1:0", "--log-level", "debug",
	}, flags...)...)
	run.Stdout, run.Stderr = out, out
	require.NoError(t, run.Start())
	t.Cleanup(func() { _ = run.Process.Kill() }) // it has ended where the test went well
	said := func() string {
		raw, err := os.ReadFile(log)
		require.NoError(t, err)
		return string(raw)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(said())
		}
	})
	list := func(group, version, resource, namespace string) []unstructured.Unstructured {
		l, err := c.Client().Dynamic.Resource(schema.GroupVersionResource{Group: group, Version: version, Resource: resource}).Namespace(namespace).List(context.Background(), metav1.ListOptions{})
		require.NoError(t, err)
		return l.Items
	}
	text := func(items []unstructured.Unstructured) string { return fmt.Sprint(items) }
	for what, there := range map[string]func() bool{
		"a Lease":             func() bool { return len(list("coordination.k8s.io", "v1", "leases", "scanflow")) == 1 },
		"a ledger":            func() bool { return len(list("scanflow.dev", "v1alpha1", "ledgers", "scanflow")) > 1 },
		"two replicas":        func() bool { return strings.Contains(text(list("apps", "v1", "deployments", "digits")), "replicas:2") },
		"an event on the act": func() bool { return strings.Contains(text(list("", "v1", "events", "digits")), "scanflow.dev/agent") },
		"the status of an agent": func() bool {
			return strings.Contains(text(list("scanflow.dev", "v1alpha1", "agents", "digits")), "observedGeneration")
		},
	} {
		require.Eventually(t, there, 30*time.Second, 100*time.Millisecond, what)
	}
	require.NoError(t, run.Process.Signal(syscall.SIGTERM))
	require.NoError(t, run.Wait())
	require.NoError(t, out.Close())
	require.NotContains(t, strings.ToLower(said()), "forbidden")
}
