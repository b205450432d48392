package actuators

import (
	"encoding/json"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/scanflow-k8s/scanflow/engine/jsonvalue"
	"github.com/scanflow-k8s/scanflow/engine/literal"
	"github.com/scanflow-k8s/scanflow/engine/manifest"
)

// What check says of a part of the parameters, a turn says of all of them, whatever the
// computed parts are; and of parameters without a computed part both say the same.
func TestALiteralIsRefusedOnlyWhereATurnRefusesIt(t *testing.T) {
	refused := 0
	for _, verb := range slices.Sorted(maps.Keys(Verbs)) {
		t.Run(verb, func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) { refused += checkLiteral(t, verb) })
		})
	}
	require.Greater(t, refused, 50, "the test draws mistakes")
}

// checkLiteral draws parameters of a verb, and returns how many mistakes are certain.
func checkLiteral(t *rapid.T, verb string) int {
	with := map[string]any{}
	fields := fieldsOf(Verbs[verb].With())
	for range rapid.IntRange(0, 5).Draw(t, "fields") {
		from := parameterNames
		if len(fields) > 0 && rapid.IntRange(0, 3).Draw(t, "own") > 0 {
			from = fields
		}
		with[rapid.SampledFrom(from).Draw(t, "field")] = drawValue(t, 3)
	}
	if verb == "apply" {
		object := map[string]any{}
		for _, key := range []string{"apiVersion", "kind", "metadata"} {
			object[key] = rapid.SampledFrom([]any{"v1", "apps/v1", "Secret", "List", "ConfigMap", map[string]any{"name": "x"}}).Draw(t, key)
		}
		with = map[string]any{"object": object}
	}
	all := manifest.DecodeMap(exact(with).(map[string]any), Verbs[verb].With())
	require.Equal(t, sortedLines(all), lines(manifest.DecodeLiteral("", literalFrom(t, with, false), Verbs[verb].With)), "nothing is computed")
	certain := manifest.DecodeLiteral("", literalFrom(t, with, true), Verbs[verb].With)
	for _, m := range certain {
		if slices.Contains(all, m.Error()) {
			continue
		}
		typeOnly := slices.ContainsFunc(all, func(line string) bool { return strings.HasPrefix(line, m.Path+": ") })
		require.True(t, typeOnly && strings.HasPrefix(m.Message, "must be "), "%s: check says %q, a turn %q", verb, m.Error(), all)
	}
	return len(certain)
}

// parameterNames are names of parameters, and of fields in them, and names that are none.
var parameterNames = []string{
	"replicas", "replica", "min", "max", "metrics", "triggers", "kind", "name", "route", "rule", "weights", "template", "workflow", "move", "remove",
	"antiAffinity", "nodeSelector", "matchLabels", "topologyKey", "required", "namespaces", "parameters", "uri", "version", "canaryPercent", "env", "argument",
	"object", "apiVersion", "metadata", "labels", "status", "items", "model", "alias", "previous", "reason", "run_id", "key", "value", "annotations", "url", "body", "type", "data",
	"kubernetes.io/x", "scanflow.dev/take-over",
}

var parameterValues = []any{
	nil, true, false, "", "3", "previous", "production", "HTTPRoute", "VirtualService", "ScaledObject", "Secret", "List", "v1", "apps/v1", "mlflow.x", "a b", "http://127.0.0.1/", "http://u:p@host/",
	json.Number("3"), json.Number("-1"), json.Number("2.5"), json.Number("0"), json.Number("200"), json.Number("1e300"),
}

func drawValue(t *rapid.T, depth int) any {
	if depth > 0 && rapid.IntRange(0, 2).Draw(t, "nested") == 0 {
		if rapid.Bool().Draw(t, "list") {
			list := []any{}
			for range rapid.IntRange(0, 2).Draw(t, "items") {
				list = append(list, drawValue(t, depth-1))
			}
			return list
		}
		object := map[string]any{}
		for range rapid.IntRange(0, 3).Draw(t, "keys") {
			from := parameterNames
			if rapid.Bool().Draw(t, "of an object") {
				from = []string{"apiVersion", "kind", "metadata", "name", "a", "matchLabels"}
			}
			object[rapid.SampledFrom(from).Draw(t, "key")] = drawValue(t, depth-1)
		}
		return object
	}
	return rapid.SampledFrom(parameterValues).Draw(t, "value")
}

// literalFrom returns a value as a text has it that computes some parts of it, or none.
func literalFrom(t *rapid.T, v any, computes bool) literal.Value {
	if computes && rapid.IntRange(0, 4).Draw(t, "computed") == 0 {
		out := literal.Value{}
		if rapid.Bool().Draw(t, "typed") {
			out.Type = manifest.JSONType(plainNumber(v))
		}
		return out
	}
	switch v := v.(type) {
	case map[string]any:
		out := literal.Value{Kind: literal.Object}
		for _, key := range slices.Sorted(maps.Keys(v)) {
			if computes && rapid.IntRange(0, 4).Draw(t, "left out") == 0 {
				out.Open = true
				continue
			}
			out.Fields = append(out.Fields, literal.Field{Key: key, Value: literalFrom(t, v[key], computes)})
		}
		return out
	case []any:
		out := literal.Value{Kind: literal.Array}
		for _, item := range v {
			out.Items = append(out.Items, literalFrom(t, item, computes))
		}
		return out
	}
	return literal.Value{Kind: literal.Scalar, JSON: v}
}

// fieldsOf lists the parameters of a verb.
func fieldsOf(with any) []string {
	var out []string
	for _, f := range reflect.VisibleFields(reflect.TypeOf(with).Elem()) {
		if name, _, _ := strings.Cut(f.Tag.Get("json"), ","); name != "" {
			out = append(out, name)
		}
	}
	return out
}

// exact converts numbers as the reader of proposals does.
func exact(v any) any {
	switch v := v.(type) {
	case json.Number:
		return jsonvalue.Exact(v)
	case map[string]any:
		out := map[string]any{}
		for key, value := range v {
			out[key] = exact(value)
		}
		return out
	case []any:
		out := []any{}
		for _, item := range v {
			out = append(out, exact(item))
		}
		return out
	}
	return v
}

func plainNumber(v any) any {
	if n, is := v.(json.Number); is {
		f, _ := n.Float64()
		return f
	}
	return v
}

func lines(found interface{ Lines() []string }) []string { return sortedLines(found.Lines()) }

func sortedLines(in []string) []string { return slices.Sorted(slices.Values(in)) }
