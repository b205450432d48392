package sensors

import (
	"context"
	"encoding/json"
	"math"
	"testing"
	"testing/fstest"
	"time"

	"github.com/open-policy-agent/opa/v1/rego"
	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/manifest"
	"github.com/scanflow-k8s/scanflow/engine/mlflow"
	"github.com/scanflow-k8s/scanflow/engine/policy"
	"github.com/scanflow-k8s/scanflow/engine/policy/source"
)

// violations validates a value, as documents have it, with OPA's JSON Schema validator.
func violations(t *testing.T, value, schema any) []any {
	t.Helper()
	raw, err := json.Marshal(map[string]any{"value": value, "schema": schema})
	require.NoError(t, err)
	var input any
	require.NoError(t, json.Unmarshal(raw, &input))
	results, err := rego.New(rego.Query(`verified := json.verify_schema(input.schema); matched := json.match_schema(input.value, input.schema)`), rego.Input(input)).Eval(context.Background())
	require.NoError(t, err)
	require.Len(t, results, 1)
	verified := results[0].Bindings["verified"].([]any)
	require.Equal(t, true, verified[0], "not a schema: %v", verified[1])
	return results[0].Bindings["matched"].([]any)[1].([]any)
}

func TestValuesOfDriftAreAsTheirSchemaSays(t *testing.T) {
	counts := map[string]float64{"1": 400, "2": 100, "+Inf": 10}
	references := map[string]DriftReference{
		"a query": {Query: "b"}, "counts": {Counts: counts}, "shares": {Shares: map[string]float64{"1": 0.5, "2": 0.3, "+Inf": 0.2}},
	}
	for _, label := range []string{"le", "class"} {
		for name, reference := range references {
			t.Run(name+" by "+label, func(t *testing.T) {
				c := &DriftConfig{Query: "a", Bins: label, Reference: reference, MinSamples: 100, Smoothing: 1e-4}
				made, err := newDrift(c, Env{Prometheus: "http://127.0.0.1:9090"})
				require.NoError(t, err)
				s := made.(*driftSensor)
				for what, now := range map[string]map[string]float64{"much": counts, "too little for chi2": {"1": 400, "2": 0, "+Inf": 0}} {
					against := s.bins.distribution(counts)
					if s.baseline.fixed != nil {
						against = s.baseline.fixed
					}
					got := s.signal(engine.Signal{State: engine.OK, Value: s.bins.distribution(now)}, engine.Signal{State: engine.OK, Value: against})
					require.Equal(t, engine.OK, got.State, got.Problem)
					require.Empty(t, violations(t, got.Value, c.ValueSchema()), what)
					if what == "much" {
						require.Len(t, got.Value, len(c.ValueSchema()["properties"].(map[string]any)), "the schema has no part that never comes")
					}
				}
			})
		}
	}
}

func TestObjectsOfMLflowAreAsTheirSchemaSays(t *testing.T) {
	at := time.Unix(1_800_000_000, 5)
	run := mlflow.Run{
		ID: "r", Name: "n", Status: "FINISHED", Start: at, End: at, Metrics: map[string]float64{"accuracy": 0.9, "loss": math.NaN()},
		Params: map[string]string{"round": "2"}, Tags: map[string]string{"app": "digits", "mlflow.user": "me"},
	}
	version := mlflow.Version{Model: "digits", Version: "3", RunID: "r", Source: "runs:/r/model", Stage: "None", Created: at, Aliases: []string{"b", "a"}, Tags: map[string]string{"by": "me"}}
	for name, c := range map[string]struct{ value, schema map[string]any }{
		"a run":               {runObject(&run), (&MLflowConfig{Runs: &MLflowRuns{Take: "run"}}).ValueSchema()},
		"a version":           {versionObject(&version, &run), (&MLflowConfig{Model: &MLflowModel{}}).ValueSchema()},
		"a run begun":         {runObject(&mlflow.Run{}), runSchema()},
		"a version of no run": {versionObject(&mlflow.Version{}, &mlflow.Run{}), versionSchema()},
	} {
		require.Empty(t, violations(t, c.value, c.schema), name)
		if name == "a run" || name == "a version" {
			require.Len(t, c.value, len(c.schema["properties"].(map[string]any)), "%s: the schema has no part that never comes", name)
		}
	}
	require.Nil(t, (&MLflowConfig{Runs: &MLflowRuns{Take: "sum"}}).ValueSchema(), "its type says all")
}

// A misspelt field of an object is reported like one of the document.
func TestAPolicyIsHeldAgainstThePartsOfAValue(t *testing.T) {
	agents, err := manifest.ReadBytes("agent.yaml", []byte(`apiVersion: scanflow.dev/v1alpha1
kind: Agent
metadata: {name: planner, namespace: x}
spec:
  targets: {static: [{name: a}]}
  triggers: [{name: tick, every: 10s}]
  strategies: [modeldebug.t]
  sensors:
    - {name: confidence, drift: {query: a_bucket, bins: le, reference: {query: a_bucket offset 1d}}}
    - {name: classes, drift: {query: b, bins: class, reference: {shares: {a: 0.5, b: 0.5}}}}
    - {name: newest, mlflow: {runs: {experiment: digits, take: run}}}
    - {name: runs, mlflow: {runs: {experiment: digits, take: count}}}
    - {name: production, mlflow: {model: {name: digits, alias: production}}}
`), manifest.Kinds{Sensors: Configs()})
	require.NoError(t, err)
	for condition, wrong := range map[string]string{
		`input.signals.confidence.value.psi > 0.2`:                                "",
		`input.signals.confidence.value.psii > 0.2`:                               "undefined ref: input.signals.confidence.value.psii",
		`input.signals.confidence.last.ks > input.signals.confidence.value.ks`:    "",
		`input.signals.confidence.last.kss > 1`:                                   "undefined ref: input.signals.confidence.last.kss",
		`input.signals.confidence.value.p_value < 0.01`:                           "",
		`input.signals.confidence.value.reference_samples > 1000`:                 "",
		`input.signals.confidence.value.shares["+Inf"] > 0.5`:                     "",
		`startswith(input.signals.confidence.value.psi, "0")`:                     "has no value: ",
		`input.signals.classes.value.shares.a > input.signals.classes.value.js`:   "",
		`input.signals.classes.value.ks > 0.2`:                                    "undefined ref: input.signals.classes.value.ks",
		`input.signals.classes.value.reference_samples > 1000`:                    "undefined ref: input.signals.classes.value.reference_samples",
		`input.signals.newest.value.metrics.accuracy > 0.9`:                       "",
		`input.signals.newest.value.metric.accuracy > 0.9`:                        "undefined ref: input.signals.newest.value.metric.accuracy",
		`input.signals.newest.value.version == "3"`:                               "undefined ref: input.signals.newest.value.version",
		`input.signals.runs.value > 3`:                                            "",
		`input.signals.runs.value.runs > 3`:                                       "undefined ref: input.signals.runs.value.runs",
		`"production" in input.signals.production.value.aliases`:                  "",
		`input.signals.production.value.version != input.target.model`:            "",
		`input.signals.production.value.versoin != input.target.model`:            "undefined ref: input.signals.production.value.versoin",
		`input.signals.production.value.created_ns > input.now_ns - 3600 * 1e9`:   "",
		`input.signals.production.value.tags["scanflow.replaced"] == "2"`:         "",
		`to_number(input.signals.production.value.params.round) > 2`:              "",
		`input.signals.production.value.start_ns > input.now_ns - 3600 * 1000000`: "undefined ref: input.signals.production.value.start_ns",
	} {
		source, err := source.ReadFS(fstest.MapFS{"t.rego": {Data: []byte("package scanflow.strategies.modeldebug.t\n\n" +
			`propose contains {"primitive": "p", "reason": "r", "because": ["confidence", "classes", "newest", "runs", "production"]} if ` + condition + "\n")}})
		require.NoError(t, err)
		revision, err := policy.Compile(context.Background(), source, policy.Options{})
		require.NoError(t, err)
		mistakes := revision.CheckAgainst(manifest.DocumentSchema(agents[0]), []string{"modeldebug.t"})
		if wrong == "" {
			require.Empty(t, mistakes, condition)
			continue
		}
		require.Len(t, mistakes, 1, condition)
		require.Contains(t, mistakes[0].Error(), wrong)
	}
}
