package manifest

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/rego"
	"github.com/stretchr/testify/require"
	sigsyaml "sigs.k8s.io/yaml"

	"github.com/scanflow-k8s/scanflow/engine"
)

// plain encodes a value to JSON and decodes it, like a schema that is printed and a document
// that OPA evaluates.
func plain(t *testing.T, v any) any {
	t.Helper()
	raw, err := json.Marshal(v)
	require.NoError(t, err)
	var out any
	require.NoError(t, json.Unmarshal(raw, &out))
	return out
}

// violations asks OPA's own JSON Schema validator.
func violations(t *testing.T, document, schema any) []any {
	t.Helper()
	results, err := rego.New(
		rego.Query(`verified := json.verify_schema(input.schema); matched := json.match_schema(input.document, input.schema)`),
		rego.Input(map[string]any{"document": plain(t, document), "schema": plain(t, schema)}),
	).Eval(context.Background())
	require.NoError(t, err)
	require.Len(t, results, 1)
	verified := results[0].Bindings["verified"].([]any)
	require.Equal(t, true, verified[0], "not a schema: %v", verified[1])
	return results[0].Bindings["matched"].([]any)[1].([]any)
}

// compile checks a policy against an agent's document, as `scanflow check` does.
func compile(t *testing.T, a *Agent, body string) error {
	t.Helper()
	module, err := ast.ParseModule("p.rego", "package p\n\nr if {\n"+body+"\n}\n")
	require.NoError(t, err)
	schemas := ast.NewSchemaSet()
	schemas.Put(ast.SchemaRootRef, DocumentSchema(a))
	compiler := ast.NewCompiler().WithSchemas(schemas)
	compiler.Compile(map[string]*ast.Module{"p.rego": module})
	if compiler.Failed() {
		return compiler.Errors
	}
	return nil
}

func TestPoliciesAreCheckedAgainstTheDocument(t *testing.T) {
	agents := good(t)
	planner, tracker, bare, checker := agents[0], agents[1], agents[2], agents[3]
	podful := &Agent{Metadata: planner.Metadata, Spec: planner.Spec}
	podful.Spec.Targets.Pods = true
	for _, c := range []struct {
		agent *Agent
		body  string
		fine  bool
	}{
		{planner, `input.signals.requests_per_second.value > 5`, true},
		{planner, `input.signals.requests_per_second.value.deep[0] == "x"`, true},
		{planner, `some name; input.signals[name].state == "ok"`, true},
		{planner, `input.signals.requests_per_second.last > input.params.requests_per_second_per_replica * 2`, true},
		{planner, `input.signals.request_per_second.value > 5`, false},
		{planner, `input.signals.requests_per_second.valeu > 5`, false},
		{planner, `input.signals.requests_per_second.state > 5; input.signals.requests_per_second.state.x`, false},
		{planner, `input.params.requests_per_replica > 5`, false},
		{planner, `startswith(input.params.requests_per_second_per_replica, "x")`, false},
		{planner, `input.memory["serving.autoscale"].last.scale.outcome == "failed"`, true},
		{planner, `input.memory["serving.autoscale"].note.since > 3`, true},
		{planner, `some s; input.memory[s].last.scale.at_ns > input.now_ns - 5`, true},
		{planner, `input.memory["serving.autoscael"].last.scale.outcome == "failed"`, false},
		{planner, `input.memory["serving.autoscale"].lats.scale.outcome == "failed"`, false},
		{planner, `input.claims.replicas.state == "cooling"`, true},
		{planner, `input.target.labels["app.kubernetes.io/component"] == "predictor"`, true},
		{planner, `input.target.replicas.desired < 3`, true},
		{planner, `"node-1" in input.target.placement`, true},
		{planner, `input.target.replica.desired < 3`, false},
		{planner, `some p in input.target.pods; p.ready`, false},
		{podful, `some p in input.target.pods; p.ready; input.now_ns - p.started_ns > 5; p.ready_since_ns < 5; startswith(p.name, "web-")`, true},
		{podful, `some p in input.target.pods; p.raedy`, false},
		{podful, `input.target.pods[0].age > 5`, false},
		{podful, `input.target.pods_omitted > 5`, true},
		{planner, `input.trigger.event.data.version == 3`, true},
		{planner, `input.trigger.evnt.data.version == 3`, false},
		{planner, `some o in input.trigger.watch.objects; o.to > 3; o.name == input.target.name`, true},
		{planner, `some o in input.trigger.watch.objects; o.too > 3`, false},
		{planner, `input.agent.role == "planner"`, true},
		{planner, `input.agent.mode == "enforce"`, false},
		{planner, `input.now > 5`, false},
		{tracker, `input.params.nested.deep.er[1].a == "b"`, true},
		{tracker, `input.params.nested.deeper.er[1].a == "b"`, false},
		{tracker, `input.params.bounds[2] == "many"`, true},
		{tracker, `input.params.nothing == null`, true},
		{tracker, `input.memory["serving.autoscale"].last.scale.outcome == "failed"`, true},
		{bare, `input.signals.load.value > 5`, false},
		{bare, `input.params.rate > 5`, false},
		{checker, `input.now_ns - input.signals.critical.since_ns > 60 * 1e9`, true},
		{checker, `input.now_ns - input.signals.critical.since > 60 * 1e9`, false},
		{checker, `input.now_ns - input.signals.error_rate.since_ns > 60 * 1e9`, false},
		{checker, `startswith(input.signals.critical.since_ns, "2026")`, false},
		{checker, `startswith(input.signals.critical.value, "5")`, false},
		{checker, `input.signals.trend.value.mean > input.signals.trend.last.points[0]`, true},
		{checker, `input.signals.trend.value.maen > 5`, false},
		{checker, `input.signals.trend.last.point[0] > 5`, false},
		{checker, `startswith(input.signals.trend.value.mean, "5")`, false},
		{checker, `input.trigger.event.hops < 3; input.trigger.event.sender == "mlperf/tracker"`, true},
		{checker, `input.trigger.event.from == "mlperf/tracker"`, false},
		{checker, `startswith(input.trigger.approval, "a")`, true},
		{checker, `input.trigger.approved`, false},
	} {
		err := compile(t, c.agent, c.body)
		if c.fine {
			require.NoError(t, err, c.body)
		} else {
			require.Error(t, err, "%s must not compile for %s", c.body, c.agent.Info())
		}
	}
}

func sampleDocument(a *Agent, signals ...engine.Signal) *engine.Document {
	info := a.Info()
	names := make([]string, len(a.Spec.Sensors))
	for i, s := range a.Spec.Sensors {
		names[i] = s.Name
	}
	return &engine.Document{
		Agent: &info, Now: time.Unix(1_800_000_000, 5), Trigger: &engine.TriggerInfo{Name: "tick", Kind: "every"},
		Target: engine.Target{Namespace: "mlperf", Name: "web"}, Names: names, Signals: signals, Params: a.Spec.Params,
	}
}

// The smallest and the largest document of the engine match the schema.
func TestDocumentsMatchTheirSchema(t *testing.T) {
	agents := good(t)
	now := time.Unix(1_800_000_000, 0)
	full := sampleDocument(agents[0], engine.Signal{State: engine.OK, Value: 3.5, At: now, Window: time.Minute})
	full.Trigger = &engine.TriggerInfo{Name: "asked", Kind: "event", Event: &engine.Event{
		ID: "1", Source: "/tracker", Type: "t", Subject: "s", Time: now, Data: map[string]any{"runs": []any{1.0}},
	}}
	full.Target = engine.Target{
		APIVersion: "apps/v1", Kind: "Deployment", Namespace: "mlperf", Name: "web", Labels: map[string]string{"a": "b"},
		Replicas: &engine.Replicas{Desired: 3, Ready: 2}, Placement: []string{"node-1"}, Model: "digits/4",
	}
	full.Memory = engine.Memory{
		"serving.autoscale": {Last: map[string]engine.LastAct{"scale": {AtNS: 5, Outcome: engine.Done, With: map[string]any{"replicas": 3}}}, Note: []any{1.0}},
		"serving.removed":   {Last: map[string]engine.LastAct{"traffic": {AtNS: 5, Outcome: engine.Abandoned}}},
	}
	full.Claims = []engine.Claim{{Name: "workflow/train", Agent: "a/b", Strategy: "s.t", Verb: "workflow.run", State: "running"}}

	watched := sampleDocument(agents[2])
	watched.Trigger = &engine.TriggerInfo{Name: "far", Kind: "watch", Watch: &engine.Watched{Objects: []engine.ObjectChange{
		{APIVersion: "v1", Kind: "Pod", Namespace: "other", Name: "web-0", Type: "changed", From: "Pending", To: map[string]any{"a": nil}},
		{APIVersion: "v1", Kind: "Pod", Namespace: "other", Name: "web-1", Type: "deleted"},
	}}}
	require.NotNil(t, watched.Input()["trigger"].(map[string]any)["watch"])

	asked := sampleDocument(agents[3], engine.Signal{State: engine.OK, Value: 51.0, At: now, Since: now.Add(-time.Hour)},
		engine.Signal{State: engine.Empty}, engine.Signal{State: engine.OK, Value: map[string]any{"points": []any{1.0, 2.0}}, At: now})
	asked.Trigger = &engine.TriggerInfo{Name: "slow", Kind: "alert", Approval: "a1", Event: &engine.Event{
		ID: "1", Source: "/alerts", Type: engine.AlertFiring, Time: now, Hops: 3, Sender: "alertmanager",
	}}
	uncounted := sampleDocument(agents[3], engine.Signal{State: engine.Error}, engine.Signal{State: engine.Stale, Last: 0.5, At: now},
		engine.Signal{State: engine.Stale, Last: map[string]any{"mean": 1.5, "points": []any{}}, At: now})

	documents := map[string]struct {
		agent    *Agent
		document *engine.Document
	}{
		"asked":   {agents[3], asked},
		"no mark": {agents[3], uncounted},
		"watched": {agents[2], watched},
		"full":    {agents[0], full},
		"lists":   {agents[1], sampleDocument(agents[1], engine.Signal{State: engine.OK, Value: map[string]any{"a": nil}}, engine.Signal{State: engine.OK, Value: "x"})},
		"bare":    {agents[2], sampleDocument(agents[2])},
	}
	for _, state := range engine.States {
		documents[string(state)] = struct {
			agent    *Agent
			document *engine.Document
		}{agents[0], sampleDocument(agents[0], engine.Signal{State: state, Last: 2.0, At: now})}
		documents[string(state)+" from the start"] = struct {
			agent    *Agent
			document *engine.Document
		}{agents[0], sampleDocument(agents[0], engine.Signal{State: state})}
	}
	for name, c := range documents {
		require.Empty(t, violations(t, c.document.Input(), DocumentSchema(c.agent)), name)
	}
}

// The schema rejects documents that no agent can have.
func TestOtherDocumentsDoNotMatch(t *testing.T) {
	agents := good(t)
	ok := engine.Signal{State: engine.OK, Value: 1.0}
	for name, change := range map[string]func(map[string]any){
		"a signal too many": func(d map[string]any) { d["signals"].(map[string]any)["other"] = ok.Input(time.Now()) },
		"a signal too few":  func(d map[string]any) { delete(d["signals"].(map[string]any), "requests_per_second") },
		"an unknown state": func(d map[string]any) {
			d["signals"].(map[string]any)["requests_per_second"].(map[string]any)["state"] = "fine"
		},
		"a param too many":   func(d map[string]any) { d["params"] = map[string]any{"requests_per_second_per_replica": 1, "x": 1} },
		"a param as text":    func(d map[string]any) { d["params"] = map[string]any{"requests_per_second_per_replica": "1"} },
		"a part too many":    func(d map[string]any) { d["mode"] = "enforce" },
		"no target":          func(d map[string]any) { delete(d, "target") },
		"a label as number":  func(d map[string]any) { d["target"].(map[string]any)["labels"] = map[string]any{"a": 1} },
		"a claim in a state": func(d map[string]any) { d["claims"] = map[string]any{"replicas": map[string]any{"state": "held"}} },
		"another memory":     func(d map[string]any) { d["memory"] = map[string]any{"serving.removed": map[string]any{"first": 1}} },
	} {
		document := sampleDocument(agents[0], ok).Input()
		require.Empty(t, violations(t, document, DocumentSchema(agents[0])))
		change(document)
		require.NotEmpty(t, violations(t, document, DocumentSchema(agents[0])), name)
	}
	counted := engine.Signal{State: engine.OK, Value: 1.0, Since: time.Unix(1_800_000_000, 0)}
	points := map[string]any{"points": []any{1.0}}
	for name, change := range map[string]func(critical, trend, trigger map[string]any){
		"a mark as text":          func(critical, _, _ map[string]any) { critical["since_ns"] = "2026-03-01" },
		"no number counted":       func(critical, _, _ map[string]any) { critical["value"] = points },
		"a mark without counting": func(_, trend, _ map[string]any) { trend["since_ns"] = 5 },
		"a part too few":          func(_, trend, _ map[string]any) { trend["value"] = map[string]any{"mean": 1} },
		"a part of the value too many": func(_, trend, _ map[string]any) {
			trend["value"] = map[string]any{"points": []any{1}, "median": 1}
		},
		"a part of another type":    func(_, trend, _ map[string]any) { trend["value"] = map[string]any{"points": []any{"1"}} },
		"the last value of another": func(_, trend, _ map[string]any) { trend["last"] = 5 },
		"an unknown trigger":        func(_, _, trigger map[string]any) { trigger["kind"] = "alarm" },
		"an approval as number":     func(_, _, trigger map[string]any) { trigger["approval"] = 1 },
		"half a hop": func(_, _, trigger map[string]any) {
			trigger["event"] = map[string]any{"id": "1", "source": "s", "type": "t", "time": "t", "hops": 0.5}
		},
	} {
		document := sampleDocument(agents[3], counted, ok, engine.Signal{State: engine.OK, Value: points}).Input()
		require.Empty(t, violations(t, document, DocumentSchema(agents[3])))
		document = plain(t, document).(map[string]any)
		signals := document["signals"].(map[string]any)
		change(signals["critical"].(map[string]any), signals["trend"].(map[string]any), document["trigger"].(map[string]any))
		require.NotEmpty(t, violations(t, document, DocumentSchema(agents[3])), name)
	}
	bare := sampleDocument(agents[2]).Input()
	bare["params"] = map[string]any{"x": 1}
	require.NotEmpty(t, violations(t, bare, DocumentSchema(agents[2])), "an agent without params has none")
}

// An editor with the schema accepts what the reader accepts, and objects to most of
// what it refuses. What no schema can say is listed.
func TestManifestSchema(t *testing.T) {
	schema := ManifestSchema(sampleKinds())
	for _, pattern := range []string{"testdata/good/*.y*ml", "testdata/bad/*.yaml"} {
		files, err := filepath.Glob(pattern)
		require.NoError(t, err)
		for _, file := range files {
			raw, err := os.ReadFile(file)
			require.NoError(t, err)
			for i, text := range strings.Split(string(raw), "---\n") {
				var document any
				if err := sigsyaml.Unmarshal([]byte(text), &document); err != nil {
					continue // no YAML, or what JSON can't have
				}
				if _, object := document.(map[string]any); !object { // OPA validates objects only
					continue
				}
				found := violations(t, document, schema)
				if strings.Contains(pattern, "good") {
					require.Empty(t, found, "%s, document %d", file, i)
				}
				if objects(file) {
					require.NotEmpty(t, found, file)
				}
			}
		}
	}
}

// objects names files whose mistake shows in the types.
func objects(file string) bool {
	for _, part := range []string{"misspelt", "missing", "unknown", "secret_", "sensor_two", "two_ways", "no_way", "targets_both", "targets_neither", "_text"} {
		if strings.Contains(filepath.Base(file), part) {
			// The schema doesn't list the verbs, and YAML's own mistakes are not its.
			return !strings.Contains(file, "primitive") && !strings.Contains(file, "alias") && !strings.Contains(file, "tag_") &&
				!strings.Contains(file, "key_not_text") && !strings.Contains(file, "env_not_a_name")
		}
	}
	return false
}
