package manifest

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/engine"
)

// sustaining is an agent with these triggers and this value of sustained.
func sustaining(triggers, sustained string) string {
	return `apiVersion: scanflow.dev/v1alpha1
kind: Agent
metadata: {name: a, namespace: ns}
spec:
  targets: {static: [{name: web}]}
  triggers: [` + triggers + `]
  params: {low: 5, word: "5", list: [5]}
  sensors:
    - name: load
      prometheus: {query: up}
      sustained: ` + sustained + "\n"
}

const tick = "{name: tick, every: 10s}"

func TestSustainedMistakes(t *testing.T) {
	for name, c := range map[string]struct {
		triggers, sustained, want string
		mistakes                  int // 1 if absent
	}{
		"a span alone":                  {tick, "{over: 1m}", "", 0},
		"bounds":                        {tick, "{over: 1m, above: 20, below: -0.5}", "", 0},
		"a bound of zero":               {tick, "{over: 1m, above: 0}", "", 0},
		"a param":                       {tick, "{over: 1m, below: {param: low}}", "", 0},
		"twice within it":               {tick, "{over: 20s}", "", 0},
		"twice within it, if late":      {"{name: tick, every: 9s, jitter: 1s}", "{over: 20s}", "", 0},
		"the faster of two":             {"{name: slow, every: 1h}, {name: tick, every: 10s}", "{over: 20s}", "", 0},
		"a cron":                        {"{name: tick, cron: '*/5 9-17 * * 1-5', timezone: Europe/Madrid}", "{over: 10m}", "", 0},
		"events":                        {"{name: asked, event: {type: x}}", "{over: 1m}", "", 0},
		"events beside what is slow":    {"{name: asked, event: {type: x}}, {name: tick, every: 1h}", "{over: 1m}", "", 0},
		"no span":                       {tick, "{above: 20}", "a.yaml:11:7: spec.sensors[0].sustained.over: is missing", 0},
		"nothing":                       {tick, "{}", "spec.sensors[0].sustained.over: is missing", 0},
		"no value":                      {tick, "", "spec.sensors[0].sustained: has no value; set it or leave it out", 0},
		"the span itself":               {tick, "1m", "spec.sensors[0].sustained: must be a mapping, not text; its fields are over, above, below", 0},
		"a span of nothing":             {tick, "{over: 0s}", "spec.sensors[0].sustained.over: must be more than 0s; write a span like 1m", 0},
		"a span below nothing":          {tick, "{over: -1m}", `spec.sensors[0].sustained.over: "-1m" is negative`, 0},
		"a span without a unit":         {tick, "{over: 60}", "spec.sensors[0].sustained.over: must be a duration with a unit", 0},
		"a misspelt field":              {tick, "{over: 1m, abvoe: 20}", "spec.sensors[0].sustained.abvoe: unknown field; did you mean above?", 0},
		"a bound in quotes":             {tick, `{over: 1m, above: "20"}`, `a.yaml:11:29: spec.sensors[0].sustained.above: must be a number, not "20"; write a number, or {param: NAME} for a number of spec.params`, 0},
		"a bound that is true":          {tick, "{over: 1m, above: true}", "spec.sensors[0].sustained.above: must be a number, not true", 0},
		"a list of bounds":              {tick, "{over: 1m, above: [1, 2]}", "spec.sensors[0].sustained.above: must be a number, not a list; write a number, or {param: NAME}", 0},
		"an infinite bound":             {tick, "{over: 1m, above: .inf}", "spec.sensors[0].sustained.above:", 0},
		"a bound that is not a number":  {tick, "{over: 1m, above: .nan}", "spec.sensors[0].sustained.above:", 0},
		"a bound without a value":       {tick, "{over: 1m, above: }", "spec.sensors[0].sustained.above: has no value", 0},
		"a param without a name":        {tick, "{over: 1m, above: {}}", "spec.sensors[0].sustained.above.param: is missing", 0},
		"an empty name of a param":      {tick, "{over: 1m, above: {param: ''}}", "spec.sensors[0].sustained.above.param: must not be empty", 0},
		"another reference":             {tick, "{over: 1m, above: {env: LOW}}", "spec.sensors[0].sustained.above.param: is missing", 2},
		"a param that is not there":     {tick, "{over: 1m, above: {param: lwo}}", `a.yaml:11:37: spec.sensors[0].sustained.above.param: "lwo" is not in spec.params; did you mean low?`, 0},
		"a param unlike any":            {tick, "{over: 1m, above: {param: ceiling}}", `"ceiling" is not in spec.params; add it there, or write a number in its place`, 0},
		"a param that is text":          {tick, "{over: 1m, above: {param: word}}", "spec.sensors[0].sustained.above.param: spec.params.word is text, and a bound is a number; write a number there, or here in place of the param", 0},
		"a param that is a list":        {tick, "{over: 1m, below: {param: list}}", "spec.sensors[0].sustained.below.param: spec.params.list is a list", 0},
		"once within it":                {tick, "{over: 19s}", "a.yaml:11:19: spec.sensors[0].sustained.over: has no effect: a span is covered where a trigger comes at least twice within it, and here the fastest comes each 10s; write 20s or more, or a trigger that comes more often", 0},
		"once within it, if late":       {"{name: tick, every: 10s, jitter: 1s}", "{over: 20s}", "and here the fastest comes each 11s; write 22s or more", 0},
		"a cron that is too slow":       {"{name: tick, cron: '0 3 * * *'}", "{over: 1h}", "and here the fastest comes each 24h0m0s; write 48h0m0s or more", 0},
		"a cron that comes once a year": {"{name: tick, cron: '0 3 29 2 *'}", "{over: 1h}", "and none comes twice; add a trigger with every: 30m0s or less", 0},
		"a time that comes once":        {"{name: tick, at: 2030-01-01T00:00:00Z}", "{over: 1m}", "and none comes twice; add a trigger with every: 30s or less", 0},
		"what its own trigger is not":   {"{name: tick, every: never}", "{over: 1m}", "spec.triggers[0].every:", 0},
	} {
		t.Run(name, func(t *testing.T) {
			agents, err := ReadBytes("a.yaml", []byte(sustaining(c.triggers, c.sustained)), sampleKinds())
			if c.want == "" {
				require.NoError(t, err)
				require.Len(t, agents, 1)
				return
			}
			require.ErrorContains(t, err, c.want)
			require.Len(t, strings.Split(err.Error(), "\n"), max(c.mistakes, 1), err.Error())
		})
	}
	object := strings.ReplaceAll(sustaining(tick, "{over: 1m}"), "{query: up}", "{query: up, range: {span: 1h, step: 1m}}")
	_, err := ReadBytes("a.yaml", []byte(object), sampleKinds())
	require.ErrorContains(t, err, "a.yaml:11:7: spec.sensors[0].sustained: compares numbers, and what this sensor samples is of type object; leave it out, or sample a number")
}

// Only events fire the agent often enough, and nobody knows whether they do.
func TestSustainedThatEventsMayCoverGetsAWarning(t *testing.T) {
	for triggers, warned := range map[string]bool{
		"{name: asked, event: {type: x}}":                                                true,
		"{name: asked, alert: {}}":                                                       true,
		"{name: seen, watch: {apiVersion: v1, kind: Pod}}":                               true,
		"{name: asked, event: {type: x}}, {name: tick, every: 40s}":                      true,
		"{name: asked, event: {type: x}}, {name: tick, every: 30s}":                      false,
		"{name: asked, event: {type: x}}, {name: tick, every: 1h}, {name: t, every: 1s}": false,
		tick: false,
	} {
		agents, err := ReadBytes("a.yaml", []byte(sustaining(triggers, "{over: 1m}")), sampleKinds())
		require.NoError(t, err, triggers)
		said := agents[0].Ineffective()
		if !warned {
			require.Empty(t, said, triggers)
			continue
		}
		require.Len(t, said, 1, triggers)
		require.Equal(t, "a.yaml:11:25: spec.sensors[0].sustained.over: is covered only while events, alerts or changes of objects come at least twice within 1m0s, since no other trigger does; add a trigger with every: 30s or less", said[0].Error())
	}
}

// The engine gets the numbers, and the manifest's JSON has what was written.
func TestSustainedForTheEngine(t *testing.T) {
	read := func(sustained string) *Agent {
		agents, err := ReadBytes("a.yaml", []byte(sustaining(tick, sustained)), sampleKinds())
		require.NoError(t, err)
		return agents[0]
	}
	zero, low := 0.0, 5.0
	a := read("{over: 1m, above: 0, below: {param: low}}")
	require.Equal(t, &engine.SustainedSpec{Over: time.Minute, Above: &zero, Below: &low}, a.Spec.Sensors[0].Sustained.Engine(a.Spec.Params))
	require.Equal(t, []string{"low"}, a.SensorParams())
	raw, err := json.Marshal(a.Spec.Sensors[0])
	require.NoError(t, err)
	require.JSONEq(t, `{"name": "load", "sustained": {"over": "1m0s", "above": 0, "below": {"param": "low"}}, "prometheus": {"query": "up"}, "timeout": "5s"}`, string(raw))
	require.Nil(t, (*Sustained)(nil).Engine(nil))

	one, err := a.Generation()
	require.NoError(t, err)
	other, err := read("{over: 1m, above: 1, below: {param: low}}").Generation()
	require.NoError(t, err)
	require.NotEqual(t, one, other)

	signal := properties(properties(properties(DocumentSchema(a))["signals"])["load"])
	require.Contains(t, properties(signal["sustained"]), "above_ns")
	without := properties(properties(properties(DocumentSchema(read("{over: 1m, below: 1}")))["signals"])["load"])
	require.NotContains(t, properties(without["sustained"]), "above_ns")
	require.Contains(t, properties(without["sustained"]), "below_ns")
}
