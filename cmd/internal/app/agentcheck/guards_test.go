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

// scopedAgents are a scaler and a restarter, each with a signal and a param of its own.
func scopedAgents(t *testing.T) []*manifest.Agent {
	t.Helper()
	agents, err := manifest.ReadBytes("a.yaml", []byte(`apiVersion: scanflow.dev/v1alpha1
kind: Agent
metadata: {name: scaler, namespace: ml}
spec:
  targets: {static: [{name: web}]}
  triggers: [{name: tick, every: 2s}]
  sensors: [{name: load, workload: {field: ready}}]
  strategies: [t.scale]
  primitives: [scale]
  params: {most: 4}
  guards: {replicas: {max: 9}}
---
apiVersion: scanflow.dev/v1alpha1
kind: Agent
metadata: {name: restarter, namespace: ml}
spec:
  targets: {static: [{name: web}]}
  triggers: [{name: tick, every: 2s}]
  sensors: [{name: errors, workload: {field: ready}}]
  strategies: [t.restart]
  primitives: [restart]
`), agentspec.Kinds())
	require.NoError(t, err)
	return agents
}

// What guards read is checked against the agents that they bind, and what their METADATA
// names against the verbs and agents that there are.
func TestGuardsAreCheckedAgainstTheAgentsThatTheyBind(t *testing.T) {
	const clamp = `clamp contains {"with": "NAME", "max": 3, "reason": "r"}` + "\n"
	for name, c := range map[string]struct{ guard, wrong, doubt string }{
		"a signal of another agent, unbound": {scopeOf("verbs: [restart]") + `deny contains "x" if input.signals.load.value > 3` + "\n",
			"g.rego:4:22: undefined ref: input.signals.load.value", ""},
		"and how it is said":     {scopeOf("verbs: [restart]") + `deny contains "x" if input.signals.load.value > 3` + "\n", "(of the documents of the agents that it binds)", ""},
		"a signal of one of all": {scopeOf("") + `deny contains "x" if input.signals.load.value > 3` + "\n", "", ""},
		"a signal of the agent":  {scopeOf("agents: [scaler]") + `deny contains "x" if input.signals.load.value > 3` + "\n", "", ""},
		"a signal of nobody":     {scopeOf("") + `deny contains "x" if input.signals.laod.value > 3` + "\n", "(of all the agents' documents)", ""},
		"an agent not among them": {scopeOf(`agents: ["ml/scalar"]`) + `deny contains "x" if input.signals.nobody.value > 3` + "\n", "",
			`g.rego:1:1: METADATA of guard g names agent "ml/scalar", and none of the agents here is called so; did you mean ml/scaler?`},
		"an agent of another namespace": {scopeOf(`agents: ["prod/*"]`) + `deny contains "x" if input.now_ns < 0` + "\n", "",
			`names agent "prod/*", and none of the agents here is called so; there are ml/restarter, ml/scaler, restarter, scaler`},
		"a verb that nobody offers": {scopeOf("verbs: [scael, restart]") + `deny contains "x" if input.now_ns < 0` + "\n",
			`g.rego:1:1: METADATA of guard g names verb "scael", and there is no such verb; did you mean scale?`, ""},
		"a parameter of no verb":                    {scopeOf("verbs: [scale]") + strings.Replace(clamp, "NAME", "replica", 1), `g.rego:4:25: guard g clamps "replica", which is no parameter of scale; did you mean replicas?`, ""},
		"a parameter of another verb":               {scopeOf("verbs: [scale]") + strings.Replace(clamp, "NAME", "min", 1), `clamps "min", which is no parameter of scale; there are replicas`, ""},
		"a parameter of no verb at all":             {scopeOf("") + strings.Replace(clamp, "NAME", "replica", 1), `clamps "replica", which is no parameter of any verb; did you mean replicas?`, ""},
		"a parameter of some verb":                  {scopeOf("") + strings.Replace(clamp, "NAME", "min", 1), "", ""},
		"the parameter":                             {scopeOf("verbs: [scale]") + strings.Replace(clamp, "NAME", "replicas", 1), "", ""},
		"a param of an agent that it does not bind": {scopeOf("verbs: [restart]") + `deny contains "x" if object.get(input.params, "most", "3") == "4"` + "\n", "", "spec.params.most: nothing that this agent runs reads it"},
		"a param of one that it binds":              {scopeOf("verbs: [scale]") + `deny contains "x" if object.get(input.params, "most", "3") == "4"` + "\n", `a.yaml:10:12: spec.params.most: is a number, 4; guard g wants text (its default is "3")`, ""},
	} {
		t.Run(name, func(t *testing.T) {
			files := fstest.MapFS{"g.rego": {Data: []byte(c.guard)}}
			for verb, with := range map[string]string{"scale": `{"replicas": 2}`, "restart": "{}"} {
				files[verb+".rego"] = &fstest.MapFile{Data: []byte("package scanflow.strategies.t." + verb + "\n\npropose contains {\"primitive\": \"" + verb + "\", \"with\": " + with + ", \"reason\": \"r\", \"because\": []}\n")}
			}
			src, err := source.FromFS(files)()
			require.NoError(t, err)
			rev, err := policy.Draft(t.Context(), src)
			require.NoError(t, err)
			agents := scopedAgents(t)
			err = Verify(agents, rev)
			if c.wrong == "" {
				require.NoError(t, err)
			} else {
				require.ErrorContains(t, err, c.wrong)
			}
			doubts := Warnings(agents, rev).Error()
			if c.doubt != "" {
				require.Contains(t, doubts, c.doubt)
			} else {
				require.NotContains(t, doubts, "METADATA")
			}
			require.NotContains(t, Warnings(nil, rev).Error(), "none of the agents here", "policies alone are checked without agents")
		})
	}
}

// scopeOf is the beginning of a guard, with a scope.
func scopeOf(scope string) string {
	return "# METADATA\n# custom: {" + scope + "}\npackage scanflow.guards.g\n"
}
