package manifest

import "reflect"

// GuardSchema is the JSON Schema of what guards in Rego get as `input`: the
// documents of all the agents together, since a guard binds every agent, and the
// proposal. A signal, a param or a memory that no agent has is not in it; where two
// agents have one of different types, any type will do.
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
	properties(all)["proposal"] = exactly("what a strategy proposes", map[string]any{
		"agent":     text("namespace/name of the agent"),
		"strategy":  text("the strategy"),
		"primitive": text("the verb"),
		"with":      whatever("its parameters"),
		"priority":  number("integer", "its priority"),
		"reason":    text("the key of its reason"),
		"because":   map[string]any{"type": "array", "items": text("a signal, or signal:state"), "description": "what it rests on"},
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
			into[name] = whatever("of different types in different agents")
		} else {
			into[name] = schema
		}
	}
}
