package manifest

import (
	"reflect"
	"slices"
)

// GuardSchema is the JSON Schema of the `input` of guards in Rego: the proposal, and the
// union of the agents' documents, since a guard binds every agent. A signal, param or
// strategy that two agents have with different types may be of any type.
func GuardSchema(agents []*Agent) map[string]any {
	if len(agents) == 0 {
		return nil
	}
	all := DocumentSchema(agents[0])
	for _, a := range agents[1:] {
		for _, part := range []string{"signals", "params", "memory"} {
			unite(properties(properties(all)[part]), properties(properties(DocumentSchema(a))[part]))
		}
	}
	if slices.ContainsFunc(agents, func(a *Agent) bool { return a.Spec.Targets.Pods }) {
		properties(all)["target"] = targetSchema(true)
	}
	properties(all)["proposal"] = objectSchema("what a strategy proposes", map[string]any{
		"agent":     stringSchema("namespace/name of the agent"),
		"strategy":  stringSchema("the strategy"),
		"primitive": stringSchema("the verb"),
		"with":      anySchema("its parameters"),
		"priority":  typeSchema("integer", "its priority"),
		"reason":    stringSchema("the key of its reason"),
		"because":   map[string]any{"type": "array", "items": stringSchema("a signal, or signal:state"), "description": "what it rests on"},
	})
	return all
}

func properties(schema any) map[string]any {
	m, _ := schema.(map[string]any)
	p, _ := m["properties"].(map[string]any)
	return p
}

func unite(into, from map[string]any) {
	for name, schema := range from {
		if into == nil {
			return
		}
		if there, both := into[name]; both && !reflect.DeepEqual(there, schema) {
			into[name] = anySchema("of different types in different agents")
		} else {
			into[name] = schema
		}
	}
}
