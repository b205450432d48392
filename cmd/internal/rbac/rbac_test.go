package rbac_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/cmd/internal/app/agentspec"
	"github.com/scanflow-k8s/scanflow/cmd/internal/rbac"
	"github.com/scanflow-k8s/scanflow/engine/manifest"
)

// agent is a manifest; the lines are those of its spec beside the trigger.
func agent(namespace, name string, spec ...string) string {
	return fmt.Sprintf("---\napiVersion: scanflow.dev/v1alpha1\nkind: Agent\nmetadata: {name: %s, namespace: %s}\nspec:\n  triggers: [{name: tick, every: 10s}]\n  %s\n",
		name, namespace, strings.Join(spec, "\n  "))
}

func readAgents(t *testing.T, text string) []*manifest.Agent {
	t.Helper()
	agents, err := manifest.ReadBytes("agents.yaml", []byte(text), agentspec.Kinds())
	require.NoError(t, err)
	return agents
}

func plan(t *testing.T, text string, o rbac.Options) *rbac.Plan {
	t.Helper()
	p, err := rbac.NewPlan(readAgents(t, text), o)
	require.NoError(t, err)
	return p
}

// lines are the rules of a plan, one resource a line: "namespace group/resource [name] verbs".
func lines(p *rbac.Plan) string {
	var out strings.Builder
	write := func(namespace string, rules []rbac.Rule) {
		for _, r := range rules {
			for _, resource := range r.Resources {
				_, _ = fmt.Fprintf(&out, "%s %s/%s %s\n", namespace, strings.Join(r.Groups, ","), strings.Join(append([]string{resource}, r.Names...), " "), strings.Join(r.Verbs, ","))
			}
		}
	}
	for _, r := range p.Roles(false) {
		write(r.Namespace, r.Rules)
	}
	write("*", p.Cluster)
	return out.String()
}

func TestWhatAgentsNeed(t *testing.T) {
	const deployments = "targets: {apiVersion: apps/v1, kind: Deployment, selector: {}}"
	for name, row := range map[string]struct {
		agents  string
		plurals map[string]string
		watch   string
		want    string
	}{
		"one that only looks": {
			agents: agent("ml", "a", deployments), watch: "ml",
			want: `
ml /events create
ml /pods list,watch
ml apps/deployments list,watch
ml scanflow.dev/agents list,watch
ml scanflow.dev/agents/status patch
`,
		},
		"one that looks for pods beside its own": {
			agents: agent("ml", "a", deployments, "sensors: [{name: near, colocated: {matchLabels: {app: batch}, namespaces: [jobs]}}]"),
			want: `
jobs /pods list,watch
ml /events create
ml /pods list,watch
ml apps/deployments list,watch
ml scanflow.dev/agents/status patch
* scanflow.dev/agents list,watch
`,
		},
		"one that restarts a pod": {
			agents: agent("ml", "a", "targets: {apiVersion: apps/v1, kind: Deployment, pods: true, selector: {}}", "primitives: [restart]"), watch: "ml",
			want: `
ml /events list,create
ml /pods list,watch
ml /pods/eviction create
ml apps/deployments get,list,watch,patch
ml scanflow.dev/agents list,watch
ml scanflow.dev/agents/status patch
`,
		},
		"one that sees pods, and restarts none": {
			agents: agent("ml", "a", "targets: {apiVersion: apps/v1, kind: Deployment, pods: true, selector: {}}"), watch: "ml",
			want: `
ml /events create
ml /pods list,watch
ml apps/deployments list,watch
ml scanflow.dev/agents list,watch
ml scanflow.dev/agents/status patch
`,
		},
		"one that restarts, and a trigger on one object": {
			agents: agent("ml", "a", deployments, "primitives: [restart]") +
				agent("ml", "b", "targets: {static: [{name: x}]}", "primitives: [scale, webhook]") +
				strings.Replace(agent("ml", "c", "targets: {static: [{name: x}]}"), "every: 10s", "watch: {apiVersion: v1, kind: ConfigMap, name: model}", 1),
			watch: "ml",
			want: `
ml /configmaps model list,watch
ml /events list,create
ml /pods list,watch
ml apps/deployments get,list,watch,patch
ml autoscaling/horizontalpodautoscalers get,list,watch
ml keda.sh/scaledobjects get,list,watch
ml scanflow.dev/agents list,watch
ml scanflow.dev/agents/status patch
`,
		},
		"targets without pods": {
			agents: agent("ml", "a", "targets: {apiVersion: v1, kind: ConfigMap, selector: {}}"), watch: "ml",
			want: `
ml /configmaps list,watch
ml /events create
ml scanflow.dev/agents list,watch
ml scanflow.dev/agents/status patch
`,
		},
		"a custom resource, whose definition lies in no namespace": {
			agents: agent("ml", "a", "targets: {apiVersion: serving.kserve.io/v1beta1, kind: InferenceService, selector: {}}", "primitives: [restart]"),
			watch:  "ml",
			want: `
ml /events list,create
ml /pods list,watch
ml scanflow.dev/agents list,watch
ml scanflow.dev/agents/status patch
ml serving.kserve.io/inferenceservices get,list,watch,patch
* apiextensions.k8s.io/customresourcedefinitions inferenceservices.serving.kserve.io get
`,
		},
		"a plural that was guessed wrong": {
			agents:  agent("ml", "a", "targets: {apiVersion: example.org/v1, kind: Ox, selector: {}}", "primitives: [scale]"),
			plurals: map[string]string{"Ox.example.org": "oxen", "Nothing": "nothings"}, watch: "ml",
			want: `
ml /events list,create
ml /pods list,watch
ml autoscaling/horizontalpodautoscalers get,list,watch
ml example.org/oxen list,watch
ml example.org/oxen/scale get,patch
ml keda.sh/scaledobjects get,list,watch
ml scanflow.dev/agents list,watch
ml scanflow.dev/agents/status patch
* apiextensions.k8s.io/customresourcedefinitions oxen.example.org get
`,
		},
		"every namespace, and what one needs of it is not granted twice": {
			agents: agent("ops", "a", "targets: {apiVersion: apps/v1, kind: Deployment, namespace: '*', selector: {}}") +
				agent("ml", "b", deployments, "primitives: [restart]"),
			want: `
ml /events list
ml apps/deployments get,patch
ml scanflow.dev/agents/status patch
ops scanflow.dev/agents/status patch
* /events create
* /pods list,watch
* apps/deployments list,watch
* scanflow.dev/agents list,watch
`,
		},
		"two namespaces, so that agents are looked for in all": {
			agents: agent("ops", "a", "targets: {apiVersion: apps/v1, kind: Deployment, namespace: ml, selector: {}}"),
			want: `
ml /events create
ml /pods list,watch
ml apps/deployments list,watch
ops /events create
ops scanflow.dev/agents/status patch
* scanflow.dev/agents list,watch
`,
		},
		"sensors": {
			agents: agent("ml", "a", "targets: {static: [{name: x}, {name: y, namespace: other}]}",
				"sensors: [{name: queue, object: {apiVersion: example.org/v1, kind: Queue, name: '{name}', field: status.length}}]"),
			want: `
ml /events create
ml scanflow.dev/agents/status patch
* example.org/queues list,watch
* scanflow.dev/agents list,watch
`,
		},
		"the Secrets that it names, and no other": {
			agents: agent("ml", "a", "targets: {static: [{name: x}]}", "primitives: [webhook]",
				"sensors:",
				"  - {name: load, http: {url: 'http://x/', bearerToken: {secretKeyRef: {name: app, key: token}}}}",
				"  - {name: free, http: {url: 'http://x/', bearerToken: {env: TOKEN}}}",
				"  - {name: rate, prometheus: {address: 'http://p/', query: up, basicAuth: {username: u, password: {secretKeyRef: {name: prom, key: password}}}}}",
				"guards: {urls: ['http://x/']}",
				"credentials: [{url: 'http://x/', bearerToken: {secretKeyRef: {name: app, key: hook}}}]") +
				agent("other", "b", "targets: {static: [{name: x}]}"),
			want: `
ml /events create
ml /secrets app get
ml /secrets prom get
ml scanflow.dev/agents/status patch
other /events create
other scanflow.dev/agents/status patch
* scanflow.dev/agents list,watch
`,
		},
		"a trigger on what lies in no namespace": {
			agents: strings.Replace(agent("ml", "a", "targets: {static: [{name: x}]}"), "every: 10s", "watch: {apiVersion: v1, kind: Node}", 1),
			want: `
ml /events create
ml scanflow.dev/agents/status patch
* /nodes list,watch
* scanflow.dev/agents list,watch
`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			p := plan(t, row.agents, rbac.Options{Plurals: row.plurals})
			require.Empty(t, cmp.Diff(strings.TrimPrefix(row.want, "\n"), lines(p)))
			require.Equal(t, row.watch, p.Watch)
		})
	}
}

// The rights of the process itself are in the Role of its own namespace, which may be the agents'
// too.
func TestWhatTheProcessNeeds(t *testing.T) {
	text := agent("ml", "a", "targets: {static: [{name: x}]}")
	elsewhere := plan(t, text, rbac.Options{Namespace: "system"}).Roles(true)
	require.Len(t, elsewhere, 2)
	require.Equal(t, "system", elsewhere[1].Namespace)
	require.Equal(t, []rbac.Rule{
		{Groups: []string{"coordination.k8s.io"}, Resources: []string{"leases"}, Verbs: []string{"get", "create"}, For: []string{"the process: leader election"}},
		{Groups: []string{"coordination.k8s.io"}, Resources: []string{"leases"}, Names: []string{"scanflow"}, Verbs: []string{"update"}, For: []string{"the process: leader election"}},
		{Groups: []string{"scanflow.dev"}, Resources: []string{"ledgers"}, Verbs: []string{"get", "list", "create", "update", "delete"}, For: []string{"the process: what survives a pod"}},
	}, elsewhere[1].Rules)
	together := plan(t, text, rbac.Options{Namespace: "ml"}).Roles(true)
	require.Len(t, together, 1)
	require.Len(t, together[0].Rules, 6)
}

// The order of the manifests changes nothing.
func TestTheSameEachTime(t *testing.T) {
	one := agent("ml", "a", "targets: {apiVersion: apps/v1, kind: Deployment, selector: {}}", "primitives: [scale, restart]")
	two := agent("ml", "b", "targets: {apiVersion: apps/v1, kind: StatefulSet, namespace: '*', selector: {}}", "primitives: [scale]")
	first, second := plan(t, one+two, rbac.Options{}), plan(t, two+one, rbac.Options{})
	require.Equal(t, string(first.YAML()), string(second.YAML()))
	require.Equal(t, string(first.Values()), string(second.Values()))
}

// Which kinds are applied, a manifest does not tell: it is said beside it.
func TestKindsToApply(t *testing.T) {
	text := agent("ml", "a", "targets: {static: [{name: x}]}", "primitives: [apply]")
	without := plan(t, text, rbac.Options{})
	require.NotContains(t, lines(without), "get,create")
	require.Contains(t, string(without.YAML()), "# Of the primitive apply nothing is in it: name the kinds with --apply Kind.group.")
	with := plan(t, text, rbac.Options{Apply: []string{"ConfigMap", "Ingress.networking.k8s.io"}})
	require.Contains(t, lines(with), "ml /configmaps get,create,patch\n")
	require.Contains(t, lines(with), "ml networking.k8s.io/ingresses get,create,patch\n")
	require.NotContains(t, string(with.YAML()), "--apply")
	_, err := rbac.NewPlan(readAgents(t, agent("ml", "a", "targets: {static: [{name: x}]}")), rbac.Options{Apply: []string{"ConfigMap"}})
	require.ErrorContains(t, err, "none of the agents has the primitive apply")
}

func TestBadNames(t *testing.T) {
	_, err := rbac.NewPlan(nil, rbac.Options{Namespace: "No", Name: "a_b", Account: "-", Plurals: map[string]string{"Ox.example.org": "Oxen"}})
	for _, part := range []string{`namespace: "No"`, `name: "a_b"`, `service account: "-"`, `resource of Ox.example.org: "Oxen"`} {
		require.ErrorContains(t, err, part)
	}
}

// No role lets a policy write a kind that binds the cluster, by whatever name.
func TestNoRoleForAProtectedKind(t *testing.T) {
	const deployments = "targets: {apiVersion: apps/v1, kind: Deployment, selector: {}}"
	for _, row := range []struct {
		kind    string
		plurals map[string]string
		want    string
	}{
		{"ResourceQuota", nil, "kinds to apply: ResourceQuota bounds what a namespace may use, so no policy may write it"},
		{"secret", nil, "holds credentials"},
		{"Lease.coordination.k8s.io", nil, "decides who leads"},
		{"NetworkPolicy.networking.k8s.io", nil, "bounds the traffic of pods"},
		{"Role.rbac.authorization.k8s.io", nil, "grants permissions"},
		{"Agent.scanflow.dev", nil, "is Scanflow's own"},
		{"Thing.networking.k8s.io", map[string]string{"Thing.networking.k8s.io": "networkpolicies"}, "the resource networkpolicies of the group \"networking.k8s.io\" bounds the traffic of pods"},
		{"Pod", map[string]string{"Pod": "secrets"}, "the resource secrets of the group \"\" holds credentials"},
		{"Thing", map[string]string{"Thing": "secrets"}, "the core group has no kind Thing"},
		{"secrets", map[string]string{"secrets": "secrets"}, "is not written as a kind"},
		{"*", nil, `"*" is no kind; write Kind.group`},
		{"Deployment/scale.apps", nil, "is no kind"},
		{"*.rbac.authorization.k8s.io", nil, "is no kind"},
		{"", nil, "is no kind"},
	} {
		_, err := rbac.NewPlan(readAgents(t, agent("ml", "a", deployments, "primitives: [apply]")), rbac.Options{Apply: []string{row.kind}, Plurals: row.plurals})
		require.ErrorContains(t, err, row.want, row.kind)
	}
	_, err := rbac.NewPlan(readAgents(t, agent("ml", "a", "targets: {apiVersion: v1, kind: Node, selector: {}}", "primitives: [annotate]")), rbac.Options{})
	require.ErrorContains(t, err, "ml/a: annotate: the resource nodes of the group \"\" is shared by everything that runs on it")
}

// A resource's name in the place of a kind would grant a right to what does not exist.
func TestAKindToApplyIsWrittenAsAKind(t *testing.T) {
	agents := readAgents(t, agent("ml", "a", "targets: {static: [{name: x}]}", "primitives: [apply]"))
	for kind, want := range map[string]string{
		"configmaps": "is not written as a kind", "ingresses.networking.k8s.io": "is not written as a kind", "secrets": "is not written as a kind",
		"Deployment": "the core group has no kind Deployment; write Kind.group, such as Deployment.apps", "Configmap": "the core group has no kind Configmap",
	} {
		_, err := rbac.NewPlan(agents, rbac.Options{Apply: []string{kind}})
		require.ErrorContains(t, err, want, kind)
	}
	for _, kind := range []string{"ConfigMap", "Pod", "Deployment.apps", "Ingress.networking.k8s.io"} {
		_, err := rbac.NewPlan(agents, rbac.Options{Apply: []string{kind}})
		require.NoError(t, err, kind)
	}
}
