package policy

import (
	"context"
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// agentSchema is as the manifest of an agent with one sensor and one parameter gives it.
const agentSchema = `{
	"$schema": "http://json-schema.org/draft-07/schema#",
	"type": "object", "additionalProperties": false,
	"properties": {
		"now_ns": {"type": "integer"},
		"target": {"type": "object", "additionalProperties": false, "properties": {
			"name": {"type": "string"},
			"replicas": {"type": "object", "additionalProperties": false, "properties": {"desired": {"type": "integer"}, "ready": {"type": "integer"}}}
		}},
		"signals": {"type": "object", "additionalProperties": false, "properties": {
			"rps": {"type": "object", "additionalProperties": false, "properties": {"state": {"type": "string"}, "value": {}, "last": {}, "age_ns": {"type": "integer"}, "window": {"type": "integer"}, "since_ns": {"type": "integer"}}},
			"drift": {"type": "object", "additionalProperties": false, "properties": {"state": {"type": "string"}, "value": {
				"type": "object", "additionalProperties": false, "properties": {"psi": {"type": "number"}, "shares": {"type": "object", "additionalProperties": {"type": "number"}}}
			}}}
		}},
		"params": {"type": "object", "additionalProperties": false, "properties": {"rps_per_replica": {"type": "number"}}}
	}
}`

func TestCheckAgainstAnAgentsSchema(t *testing.T) {
	// A library that another agent's strategy uses reads a signal that this one has not.
	files := with(basic(), "lib/load.rego", lib+"\nother if input.signals.elsewhere.value > 1\n", "lib/load_test.rego", "package scanflow.lib.load_test\n\ntest_other if not data.scanflow.lib.load.other with input as {\"x\": 1}\n")
	strategy := "strategies/serving/autoscale.rego"
	for name, c := range map[string]struct{ from, to, says string }{
		"all is well":          {"", "", ""},
		"a misspelt signal":    {`input.signals.rps,`, `input.signals.rsp,`, strategy + ":11:"},
		"a misspelt parameter": {`input.params.rps_per_replica`, `input.params.rps_per_replika`, "undefined ref: input.params.rps_per_replika"},
		"a misspelt field":     {`input.target.replicas.desired`, `input.target.replicas.desire`, "undefined ref: input.target.replicas.desire"},
		"the pods, not there":  {`wanted > input`, "some pod in input.target.pods\n\tpod.ready\n\twanted > input", "; set spec.targets.pods: true in the agent's manifest, by which its document has the pods"},
		"a part of a value":    {`wanted > input`, "input.signals.drift.value.psi < 0.2\n\twanted > input", ""},
		"a misspelt part":      {`wanted > input`, "input.signals.drift.value.psii < 0.2\n\twanted > input", "undefined ref: input.signals.drift.value.psii"},
		"a part by its key":    {`wanted > input`, "input.signals.drift.value.shares[\"+Inf\"] < 0.2\n\twanted > input", ""},
		"since when it counts": {`wanted > input`, "input.signals.rps.since_ns > 0\n\twanted > input", ""},
		"a count without mark": {`wanted > input`, "input.signals.drift.since_ns > 0\n\twanted > input", "undefined ref: input.signals.drift.since_ns"},
		"through a library":    {`wanted > input`, "load.other\n\twanted > input", "lib/load.rego:5:"},
	} {
		t.Run(name, func(t *testing.T) {
			text := strings.Replace(autoscale, c.from, c.to, 1)
			if strings.Contains(c.to, "rsp") {
				text = strings.Replace(text, `["rps"]`, `["rsp"]`, 1)
			}
			if strings.Contains(c.to, "drift") {
				text = strings.Replace(text, `["rps"]`, `["rps", "drift"]`, 1)
			}
			if strings.Contains(c.to, "load.other") {
				text = strings.Replace(text, `["rps"]`, `["rps", "elsewhere"]`, 1)
			}
			rev, err := Compile(context.Background(), sourceOf(t, with(files, strategy, text)), Options{})
			require.NoError(t, err)
			var decoded any
			require.NoError(t, json.Unmarshal([]byte(agentSchema), &decoded))
			got := rev.CheckAgainst(decoded, []string{"serving.autoscale"})
			require.Equal(t, got, rev.CheckAgainst([]byte(agentSchema), []string{"serving.autoscale"}))
			if c.says == "" {
				require.Empty(t, messages(got))
			} else {
				require.Contains(t, messages(got), c.says)
			}
		})
	}
	rev := compiled(t, files, Options{})
	require.Equal(t, `there is no strategy "nobody"; the strategies are "serving.autoscale"`, messages(rev.CheckAgainst([]byte(agentSchema), []string{"nobody", "serving.autoscale"})))
	require.Contains(t, messages(rev.CheckAgainst([]byte("{"), []string{"serving.autoscale"})), "the schema is not JSON")
}
