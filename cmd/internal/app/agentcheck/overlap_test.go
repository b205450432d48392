package agentcheck

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/cmd/internal/app/agentspec"
	"github.com/scanflow-k8s/scanflow/engine/manifest"
)

const web = "targets: {apiVersion: apps/v1, kind: Deployment, selector: {matchLabels: {app: web}}}"

// writes is an agent, with its targets and the rest of its spec.
func writes(t *testing.T, name, targets, verbs, rest string) *manifest.Agent {
	t.Helper()
	namespace, name, _ := strings.Cut(name, "/")
	text := fmt.Sprintf(`apiVersion: scanflow.dev/v1alpha1
kind: Agent
metadata: {name: %s, namespace: %s}
spec:
  %s
  triggers: [{name: tick, every: 10s}]
  primitives: [%s]
  %s
`, name, namespace, targets, verbs, rest)
	agents, err := manifest.ReadBytes(name+".yaml", []byte(text), agentspec.Kinds())
	require.NoError(t, err)
	return agents[0]
}

func TestOverlapsOfManifests(t *testing.T) {
	selected := func(namespace, labels string) string {
		return "targets: {apiVersion: apps/v1, kind: Deployment, " + namespace + "selector: {matchLabels: {" + labels + "}}}"
	}
	type agent struct{ name, targets, verbs, rest string }
	for name, row := range map[string]struct {
		a, b    agent
		want    string // "" for none
		decided bool
	}{
		"the same field": {agent{"ns/a", web, "scale", ""}, agent{"ns/b", web, "scale", ""},
			"b.yaml:5:12: spec.targets: ns/b and ns/a (a.yaml:5) may have the same targets, and both write replicas; who writes first holds the field for spec.guards.hold; give one a higher spec.priority (both have 0), or targets of its own", false},
		"scale and autoscaler":        {agent{"ns/a", web, "scale, traffic", ""}, agent{"ns/b", web, "traffic, autoscaler", ""}, "both write replicas and traffic", false},
		"a higher priority":           {agent{"ns/a", web, "scale", "priority: 7"}, agent{"ns/b", web, "scale", ""}, "both write replicas; ns/a wins, by spec.priority 7 against 0", true},
		"a lower priority":            {agent{"ns/a", web, "scale", "priority: -7"}, agent{"ns/b", web, "scale", ""}, "ns/b wins, by spec.priority 0 against -7", true},
		"other fields":                {agent{"ns/a", web, "scale", ""}, agent{"ns/b", web, "place", ""}, "", false},
		"fields by parameters":        {agent{"ns/a", web, "apply, workflow.run, model.promote", ""}, agent{"ns/b", web, "apply, workflow.run, model.promote", ""}, "", false},
		"no fields":                   {agent{"ns/a", web, "webhook", ""}, agent{"ns/b", web, "webhook", ""}, "", false},
		"a dry run":                   {agent{"ns/a", web, "scale", "mode: dry-run"}, agent{"ns/b", web, "scale", ""}, "", false},
		"paused":                      {agent{"ns/a", web, "scale", ""}, agent{"ns/b", web, "scale", "mode: paused"}, "", false},
		"another value of a label":    {agent{"ns/a", web, "scale", ""}, agent{"ns/b", selected("", "app: api"), "scale", ""}, "", false},
		"another label":               {agent{"ns/a", web, "scale", ""}, agent{"ns/b", selected("", "tier: front"), "scale", ""}, "both write replicas", false},
		"more labels":                 {agent{"ns/a", web, "scale", ""}, agent{"ns/b", selected("", "app: web, tier: front"), "scale", ""}, "both write replicas", false},
		"one of two labels":           {agent{"ns/a", selected("", "app: web, tier: back"), "scale", ""}, agent{"ns/b", selected("", "app: web, tier: front"), "scale", ""}, "", false},
		"every workload":              {agent{"ns/a", web, "scale", ""}, agent{"ns/b", selected("", ""), "scale", ""}, "both write replicas", false},
		"another namespace":           {agent{"ns/a", web, "scale", ""}, agent{"other/b", web, "scale", ""}, "", false},
		"the namespace of the other":  {agent{"ns/a", web, "scale", ""}, agent{"other/b", selected("namespace: ns, ", "app: web"), "scale", ""}, "both write replicas", false},
		"every namespace":             {agent{"ns/a", web, "scale", ""}, agent{"other/b", selected(`namespace: "*", `, "app: web"), "scale", ""}, "both write replicas", false},
		"another kind":                {agent{"ns/a", web, "scale", ""}, agent{"ns/b", strings.Replace(web, "Deployment", "StatefulSet", 1), "scale", ""}, "", false},
		"a kind of another group":     {agent{"ns/a", web, "scale", ""}, agent{"ns/b", strings.Replace(web, "apps/v1", "v1", 1), "scale", ""}, "", false},
		"another version of the kind": {agent{"ns/a", web, "scale", ""}, agent{"ns/b", strings.Replace(web, "apps/v1", "apps/v1beta1", 1), "scale", ""}, "both write replicas", false},
		"a static target":             {agent{"ns/a", "targets: {static: [{name: web}, {name: api}]}", "restart", ""}, agent{"ns/b", "targets: {static: [{name: api, namespace: ns}]}", "restart", ""}, "both write pods", false},
		"other static targets":        {agent{"ns/a", "targets: {static: [{name: web}]}", "restart", ""}, agent{"ns/b", "targets: {static: [{name: web, namespace: other}]}", "restart", ""}, "", false},
		"static and selected":         {agent{"ns/a", "targets: {static: [{name: web}]}", "scale", ""}, agent{"ns/b", web, "scale", ""}, "", false},
	} {
		t.Run(name, func(t *testing.T) {
			found := Overlaps([]*manifest.Agent{writes(t, row.a.name, row.a.targets, row.a.verbs, row.a.rest), writes(t, row.b.name, row.b.targets, row.b.verbs, row.b.rest)})
			if row.want == "" {
				require.Empty(t, found)
				return
			}
			require.Len(t, found, 1)
			require.Contains(t, found[0].Mistake.Error(), row.want)
			require.Equal(t, row.decided, found[0].Decided)
		})
	}
}

// Many agents on one field are some lines, and not one for each pair.
func TestManyOverlapsAreBounded(t *testing.T) {
	var agents []*manifest.Agent
	for i := range 20 {
		agents = append(agents, writes(t, fmt.Sprintf("ns/a%d", i), web, "scale", ""))
	}
	found := Overlaps(agents)
	require.LessOrEqual(t, len(found), 20*(mostOverlaps+1))
	require.Contains(t, found[len(found)-1].Mistake.Error(), "14 more agents write the same fields as ns/a19")
}
