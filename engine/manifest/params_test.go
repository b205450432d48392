package manifest

import (
	"testing"

	"github.com/stretchr/testify/require"
)

const withParams = `apiVersion: scanflow.dev/v1alpha1
kind: Agent
metadata: {name: a}
spec:
  targets: {static: [{name: web}]}
  triggers: [{name: tick, every: 2s}]
  params:
    text: "4"
    url: "http://host/"
    number: 2.5
    whole: 3600e9
    bool: true
    list: [1]
    none: null
    map: &map
      "a.b[0]": {c: x}
    again: *map
`

func TestMistakesAboutParams(t *testing.T) {
	agents, err := ReadBytes("a.yaml", []byte(withParams), sampleKinds())
	require.NoError(t, err)
	a := agents[0]
	params := a.Spec.Params
	for name, c := range map[string]struct {
		path  []string
		value any
		says  string
	}{
		"text":          {[]string{"text"}, params["text"], `a.yaml:8:5: spec.params.text: is text, "4"; W`},
		"a number":      {[]string{"number"}, params["number"], `a.yaml:10:5: spec.params.number: is a number, 2.5; W`},
		"a whole one":   {[]string{"whole"}, params["whole"], `a.yaml:11:5: spec.params.whole: is a number, 3.6e+12; W`},
		"a boolean":     {[]string{"bool"}, params["bool"], `a.yaml:12:5: spec.params.bool: is true; W`},
		"a list":        {[]string{"list"}, params["list"], `a.yaml:13:5: spec.params.list: is a list; W`},
		"nothing":       {[]string{"none"}, params["none"], `a.yaml:14:5: spec.params.none: is nothing; W`},
		"a mapping":     {[]string{"map"}, params["map"], `a.yaml:15:5: spec.params.map: is a mapping; W`},
		"below one":     {[]string{"map", "a.b[0]", "c"}, "x", `a.yaml:16:18: spec.params.map["a.b[0]"].c: is text, "x"; W`},
		"by an alias":   {[]string{"again", "a.b[0]"}, map[string]any{}, `a.yaml:16:7: spec.params.again["a.b[0]"]: is a mapping; W`},
		"a user's URL":  {[]string{"url"}, "http://me:secret@host/", `a.yaml:9:5: spec.params.url: is text, "http://***@host/"; W`},
		"not there now": {[]string{"map", "d"}, 1.0, `a.yaml:15:5: spec.params.map.d: is a number, 1; W`},
	} {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, c.says, a.MistypedParam(c.path, c.value, "W").Error())
		})
	}

	for name, c := range map[string]struct {
		read []string
		says string
	}{
		"one letter off":      {[]string{"nomber", "wholly", "numbers"}, `a.yaml:10:5: spec.params.number: nothing that this agent runs reads it; did you mean nomber?`},
		"the nearest is set":  {[]string{"whole", "bool"}, `nothing that this agent runs reads it; correct its name or leave it out`},
		"none is near":        {[]string{"z", "critical", "bool"}, `reads it; correct its name or leave it out; those read and not set are critical, z`},
		"nothing is read yet": {nil, `reads it; correct its name or leave it out`},
	} {
		t.Run(name, func(t *testing.T) {
			says := a.UnusedParam("number", c.read).Error()
			require.Equal(t, c.says, says[len(says)-len(c.says):])
		})
	}
}

// An agent that is a custom resource has no lines.
func TestAMistakeAboutAParamOfAnObject(t *testing.T) {
	a, mistakes := ReadObject("ns/a", []byte(`{"apiVersion": "scanflow.dev/v1alpha1", "kind": "Agent", "metadata": {"name": "a"}, "spec": {
		"targets": {"static": [{"name": "web"}]}, "triggers": [{"name": "tick", "every": "2s"}], "params": {"n": 4, "t": "4"}}}`), sampleKinds())
	require.Empty(t, mistakes)
	require.Equal(t, "number", JSONType(a.Spec.Params["n"]))
	require.Equal(t, `ns/a: spec.params.t: is text, "4"; W`, a.MistypedParam([]string{"t"}, a.Spec.Params["t"], "W").Error())
}
