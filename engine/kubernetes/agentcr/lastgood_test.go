package agentcr_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/types"

	"github.com/scanflow-k8s/scanflow/cmd/cluster/testcluster"
	"github.com/scanflow-k8s/scanflow/engine/kubernetes/agentcr"
)

// A spec that can't be run leaves the last good one in the status, for a process that
// starts meanwhile, and it goes once a spec is right again.
func TestTheLastGoodSpecIsKeptWhileALaterOneIsWrong(t *testing.T) {
	c := testcluster.Shared(t)
	install(t, c)
	ns := c.Namespace(t)
	c.Apply(t, text(ns, "one", everyTenSeconds+"  strategies: [a.b]\n  params: {first: 1, second: 2}\n"))
	source, _ := start(t, agentcr.Options{Client: c.Client(), Namespace: ns})
	name := types.NamespacedName{Namespace: ns, Name: "one"}
	found := func() agentcr.Found { return source.Agents()[0] }
	require.Eventually(t, func() bool { return len(source.Agents()) == 1 }, soon, tick)
	require.Nil(t, found().LastGood)
	good := found().Agent
	kept := func(params map[string]any) map[string]any {
		return map[string]any{
			"targets": map[string]any{"static": []any{map[string]any{"name": "web"}}}, "triggers": []any{map[string]any{"name": "tick", "every": "10s"}},
			"strategies": []any{"a.b"}, "params": params,
		}
	}
	source.Report(name, agentcr.Status{ObservedGeneration: 1, Conditions: wrong, LastGood: kept(map[string]any{"first": 1.0, "second": 2.0})})
	require.Eventually(t, func() bool { return found().LastGood != nil }, soon, tick)
	want, err := good.Generation()
	require.NoError(t, err)
	got, err := found().LastGood.Generation()
	require.NoError(t, err)
	require.Equal(t, want, got, "as it was")

	source.Report(name, agentcr.Status{ObservedGeneration: 1, Conditions: wrong, LastGood: kept(map[string]any{"second": 3.0})})
	require.Eventually(t, func() bool {
		a := found().LastGood
		return a != nil && len(a.Spec.Params) == 1 && a.Spec.Params["second"] == 3.0
	}, soon, tick, "one in place of the other, and not a mixture")
	source.Report(name, agentcr.Status{ObservedGeneration: 1, Conditions: running})
	require.Eventually(t, func() bool { return found().LastGood == nil }, soon, tick)
}
