package agentcheck

import (
	"io/fs"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/cmd/internal/app/agentspec"
	"github.com/scanflow-k8s/scanflow/engine/manifest"
	"github.com/scanflow-k8s/scanflow/engine/policy"
	"github.com/scanflow-k8s/scanflow/engine/policy/source"
)

// Each of these settings is accepted and has no effect with the policies: check warns.
func TestSettingsWithoutEffectGetAWarning(t *testing.T) {
	strategy := func(name, primitive, more string) *fstest.MapFile {
		return &fstest.MapFile{Data: []byte("package scanflow.strategies.t." + name + "\n\npropose contains {\"primitive\": " + primitive + ", \"with\": {\"url\": \"http://127.0.0.1:1/\"}, \"reason\": \"r\", \"because\": [\"load\"], \"marks\": [" + more + "]} if input.signals.load.value > 3\n")}
	}
	src, err := source.FromFS(fs.FS(fstest.MapFS{
		"a.rego": strategy("a", `"webhook"`, `"checked"`),
		"b.rego": strategy("b", `sprintf("web%s", ["hook"])`, `sprintf("check%s", ["ed"])`),
		"g.rego": {Data: []byte("package scanflow.guards.g\n\ndeny contains \"off\" if input.signals.heat.value > 3\n")},
	}))()
	require.NoError(t, err)
	rev, err := policy.Draft(t.Context(), src)
	require.NoError(t, err)
	const workload = "workload: {field: ready}"
	for name, c := range map[string]struct{ strategies, primitives, sensors, want string }{
		"a sensor that nothing reads":      {"t.a", "webhook", "{name: load, since: checked, " + workload + "}, {name: laod, " + workload + "}", "spec.sensors[1].name: no strategy of this agent and no guard reads laod; correct its name, or leave it out"},
		"a request longer than it may be":  {"t.a", "webhook", "{name: load, since: checked, http: {url: 'http://localhost/', timeout: 3s}}", "spec.sensors[0].http.timeout: is 3s, and a request has half of the sensor's own timeout at most: 2.5s; write less, or a longer timeout of the sensor"},
		"a request within a longer one":    {"t.a", "webhook", "{name: load, since: checked, timeout: 8s, http: {url: 'http://localhost/', timeout: 3s}}", ""},
		"a sensor that a guard reads":      {"t.a", "webhook", "{name: load, since: checked, " + workload + "}, {name: heat, " + workload + "}", ""},
		"a mark that nothing sets":         {"t.a", "webhook", "{name: load, since: chekced, " + workload + "}", "spec.sensors[0].since: no strategy of this agent sets the mark chekced, so that the value is all of the total; leave it out, or set the mark in a proposal; those set are checked"},
		"a mark that is set":               {"t.a", "webhook", "{name: load, since: checked, " + workload + "}", ""},
		"a mark that may be set":           {"t.b", "webhook", "{name: load, since: other, " + workload + "}", ""},
		"a verb that nothing proposes":     {"t.a", "webhook, restart", "{name: load, " + workload + "}", "spec.primitives[1]: no strategy of this agent proposes restart; leave it out, or name the strategy in spec.strategies"},
		"a verb that may be proposed":      {"t.b", "webhook, restart", "{name: load, " + workload + "}", ""},
		"verbs of an agent that only asks": {"", "restart", "{name: load, " + workload + "}", "no strategy of this agent proposes restart"},
		"sensors of one that measures":     {"", "", "{name: load, " + workload + "}", ""},
	} {
		t.Run(name, func(t *testing.T) {
			agents, err := manifest.ReadBytes("a.yaml", []byte(`apiVersion: scanflow.dev/v1alpha1
kind: Agent
metadata: {name: a}
spec:
  targets: {static: [{name: web}]}
  triggers: [{name: tick, every: 2s}]
  strategies: [`+c.strategies+`]
  primitives: [`+c.primitives+`]
  sensors: [`+c.sensors+`]
`), agentspec.Kinds())
			require.NoError(t, err)
			said := Warnings(agents, rev).Error()
			if c.want == "" {
				require.Empty(t, said)
				return
			}
			require.Contains(t, said, c.want)
		})
	}
}

const keeperPolicy = `package scanflow.strategies.t.bound

propose contains {"primitive": "webhook", "with": {"url": "http://127.0.0.1:1/"}, "reason": reason, "because": []} if {
	reason := sprintf("bound_%v", [object.get(input.params, "bound", 4)])
}
`

const keeper = `apiVersion: scanflow.dev/v1alpha1
kind: Agent
metadata: {name: keeper, namespace: ns}
spec:
  mode: dry-run
  targets: {static: [{name: web}]}
  triggers: [{name: tick, every: 100ms}]
  strategies: [t.bound]
  primitives: [webhook]
`

// A request with no time at all is refused.
func TestARequestHasTime(t *testing.T) {
	for _, kind := range []string{"http: {url: 'http://localhost/', timeout: 0s}", "scrape: {metric: m, port: 80, timeout: 0s}"} {
		_, err := manifest.ReadBytes("b.yaml", []byte(keeper+"  sensors: [{name: load, "+kind+"}]\n"), agentspec.Kinds())
		require.ErrorContains(t, err, ".timeout: must be more than 0s; leave it out for 2s")
	}
}

// A rule that compares a field with a word that it never has gets a warning.
func TestImpossibleComparisonsGetAWarning(t *testing.T) {
	agents := agentWith(t, "", "x: 1")
	sensors, err := manifest.ReadBytes("b.yaml", []byte(strings.ReplaceAll(keeper, "name: keeper", "name: b")+"  sensors: [{name: load, workload: {field: ready}}]\n"), agentspec.Kinds())
	require.NoError(t, err)
	for condition, want := range map[string]string{
		`input.proposal.primitive == "scael"`:              `g.rego:3:47: input.proposal.primitive is never "scael"; it is one of annotate, apply`,
		`"scael" == input.proposal.primitive`:              `input.proposal.primitive is never "scael"`,
		`input.proposal.primitive in {"scale", "restrat"}`: `input.proposal.primitive is never "restrat"`,
		`input.proposal.primitive in ["scale", "restrat"]`: `input.proposal.primitive is never "restrat"`,
		`input.proposal.primitive != "scael"`:              `input.proposal.primitive is never "scael"`,
		`not input.proposal.primitive == "scael"`:          `input.proposal.primitive is never "scael"`,
		`input.agent.layer == "infra"`:                     `input.agent.layer is never "infra"; it is one of application, infrastructure`,
		`input.signals.load.state == "missing"`:            `input.signals.load.state is never "missing"; it is one of ok, empty, nan, stale, error`,
		`input.signals[_].state == "missing"`:              `input.signals.NAME.state is never "missing"`,
		`input.claims.model.state == "held"`:               `input.claims.model.state is never "held"; it is one of running, cooling`,
		`input.trigger.kind == "webhook"`:                  `input.trigger.kind is never "webhook"; it is one of every, cron`,
		`input.proposal.with.replica > 3`:                  `g.rego:3:22: input.proposal.with.replica is never there: no primitive has a parameter "replica"`,
		`input.proposal.with.replicas > 3`:                 "",
		`input.proposal.with.antiAffinity.required`:        "",
		`input.proposal.with.object.kind == "Secret"`:      "",
		`input.proposal.with[_] == 3`:                      "",
		`input.proposal.primitive == "scale"`:              "",
		`input.proposal.reason == "any"`:                   "",
		`input.agent.name == "any"`:                        "",
		`input.agent.layer == ""`:                          "",
		`input.signals.load.state in {"empty", "stale"}`:   "",
	} {
		t.Run(condition, func(t *testing.T) {
			src, err := source.FromFS(fs.FS(fstest.MapFS{
				"t.rego": {Data: []byte(keeperPolicy)},
				"g.rego": {Data: []byte("package scanflow.guards.g\n\ndeny contains \"x\" if " + condition + "\n")},
			}))()
			require.NoError(t, err)
			rev, err := policy.Draft(t.Context(), src)
			require.NoError(t, err)
			said := impossibleComparisons(append(agents, sensors...), rev).Error()
			if want == "" {
				require.Empty(t, said)
				return
			}
			require.Contains(t, said, want)
		})
	}
}

// A param that only the bound of a sensor is, is used.
func TestAParamOfASensorIsRead(t *testing.T) {
	src, err := source.FromFS(fs.FS(fstest.MapFS{"a.rego": {Data: []byte(keeperPolicy)}}))()
	require.NoError(t, err)
	rev, err := policy.Draft(t.Context(), src)
	require.NoError(t, err)
	agents, err := manifest.ReadBytes("a.yaml", []byte(keeper+`  params: {low: 5, high: 9}
  sensors: [{name: load, sustained: {over: 1m, below: {param: low}}, workload: {field: ready}}]
`), agentspec.Kinds())
	require.NoError(t, err)
	said := Warnings(agents, rev).Error()
	require.Contains(t, said, "spec.params.high: nothing that this agent runs reads it")
	require.NotContains(t, said, "spec.params.low")
}
