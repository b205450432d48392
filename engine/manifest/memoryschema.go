package manifest

import (
	"reflect"

	"github.com/scanflow-k8s/scanflow/engine"
)

// lastActsSchema is the schema of the last acts in a strategy's memory. It has every verb that
// there is, not only those in the agent's primitives: a strategy may be written for agents
// with other primitives too. Without verbs, as for an agent that was not read from a
// manifest, any may be there.
func lastActsSchema(verbs map[string]reflect.Type) map[string]any {
	const doc = "the last act of each verb that the strategy proposed"
	if len(verbs) == 0 {
		return mapSchema(doc, actSchema(mapSchema("its parameters", anySchema("a parameter"))))
	}
	acts := map[string]any{}
	for verb, params := range verbs {
		with := withSchema(params, 0)
		with["description"] = "its parameters"
		acts[verb] = actSchema(with)
	}
	return objectSchema(doc, acts, sortedKeys(acts)...)
}

func actSchema(with map[string]any) map[string]any {
	return objectSchema("one act", map[string]any{
		"at_ns":   typeSchema("integer", "when it began, in nanoseconds since the Unix epoch"),
		"outcome": enumSchema("how it stands", string(engine.Running), string(engine.Done), string(engine.Failed), string(engine.NoOp), string(engine.Abandoned)),
		"with":    with,
	}, "with")
}

// withSchema is the schema of a verb's parameters. Only types are in it: what a policy reads
// there was accepted when the verb acted.
func withSchema(t reflect.Type, depth int) map[string]any {
	for t != nil && t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch {
	case t == nil || depth > maxDepth:
		return map[string]any{}
	case isText(t):
		return map[string]any{"type": "string"}
	}
	switch t.Kind() {
	case reflect.Struct:
		fields, names := map[string]any{}, []string{}
		for _, f := range fieldsOf(t) {
			fields[f.name] = withSchema(f.typ, depth+1)
			names = append(names, f.name)
		}
		out := objectSchema("", fields, names...)
		delete(out, "description")
		return out
	case reflect.Map:
		return map[string]any{"type": "object", "additionalProperties": withSchema(t.Elem(), depth+1)}
	case reflect.Slice:
		return map[string]any{"type": "array", "items": withSchema(t.Elem(), depth+1)}
	}
	if name := scalarType(t.Kind()); name != "" {
		return map[string]any{"type": name}
	}
	return map[string]any{}
}
