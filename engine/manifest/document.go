package manifest

import (
	"encoding/json"
	"maps"
	"slices"

	"github.com/scanflow-k8s/scanflow/engine"
)

// DocumentSchema is the JSON Schema of an agent's own document, the `input` of its
// policies: the signals are exactly its sensors, the params exactly what it sets.
//
// It keeps to what OPA's type checker understands (type, properties, items, anyOf);
// what it adds for other validators (enum, required, additionalProperties) OPA
// passes over. OPA takes an object with properties to have no others: so a signal,
// a param or a strategy that the agent doesn't have is a compile error, and where
// keys are not known before (labels, claims, verbs in memory) there are none.
func DocumentSchema(a *Agent) map[string]any {
	signals := map[string]any{}
	for _, s := range a.Spec.Sensors {
		signals[s.Name] = signalSchema(s)
	}
	memory := map[string]any{}
	for _, name := range a.Spec.Strategies {
		memory[name] = memorySchema()
	}
	remembered := map[string]any{"type": "object", "description": "what the agent remembers of the target, by strategy", "additionalProperties": memorySchema()}
	if len(memory) > 0 { // those of strategies that it had before may be there too
		remembered["properties"] = memory
	}
	return map[string]any{
		"$schema":  "http://json-schema.org/draft-07/schema#",
		"title":    "Document of the agent " + a.Info().String(),
		"type":     "object",
		"required": []any{"agent", "claims", "memory", "now_ns", "params", "signals", "target", "trigger"},
		"properties": map[string]any{
			"agent": exactly("who decides", map[string]any{
				"namespace": text("namespace of the agent"), "name": text("name of the agent"),
				"role": text("its part, as in the manifest"), "layer": text("its layer, as in the manifest"),
			}),
			"now_ns":  number("integer", "the moment of the firing, in nanoseconds since the Unix epoch"),
			"trigger": triggerSchema(),
			"target":  targetSchema(),
			"signals": exactly("exactly the agent's sensors", signals),
			"params":  paramsSchema(a.Spec.Params),
			"memory":  remembered,
			"claims": keyed("what is in flight on the target, by claim: replicas, traffic, workflow/NAME, ...", exactly("one claim", map[string]any{
				"agent": text("namespace/name of the agent that holds it"), "strategy": text("its strategy"), "verb": text("the primitive"),
				"state": words("running, or cooling while the verb's cooldown lasts", "running", "cooling"),
			})),
		},
		"additionalProperties": false,
	}
}

// valuesOf is the schema of what a sensor samples, as its configuration says it by a
// method ValueType() string, a JSON type, or ValueSchema() map[string]any, which also
// names the parts of an object; nil where it does not say.
func valuesOf(config any) map[string]any {
	if c, is := config.(interface{ ValueSchema() map[string]any }); is {
		if schema := c.ValueSchema(); schema != nil {
			return schema
		}
	}
	if c, is := config.(interface{ ValueType() string }); is {
		return map[string]any{"type": c.ValueType()}
	}
	return nil
}

func signalSchema(s Sensor) map[string]any {
	of := valuesOf(s.Config)
	if s.Since != "" { // nothing else can be counted
		of = map[string]any{"type": "number"}
	}
	value := func(what, when string) map[string]any {
		if of == nil {
			return whatever(what + ", any JSON; " + when)
		}
		out := maps.Clone(of)
		out["description"] = what + "; " + when
		return out
	}
	states := make([]string, len(engine.States))
	for i, s := range engine.States {
		states[i] = string(s)
	}
	properties := map[string]any{
		"state":  words("whether the value may be used", states...),
		"value":  value("what was measured", "only where the state is ok"),
		"last":   value("the last value that was ok", "only where the state is not, and there was one"),
		"age_ns": number("integer", "nanoseconds since it was measured; absent if it never was. To read it counts as reading now_ns"),
		"window": number("integer", "nanoseconds that the value was computed over; 0 for an instant"),
	}
	if s.Since != "" {
		properties["since_ns"] = sinceSchema()
	}
	return exactly("the signal "+s.Name, properties, "value", "last", "age_ns", "since_ns")
}

func sinceSchema() map[string]any {
	return number("integer", "of a sensor with since: when the mark was set that the value counts from, in nanoseconds since the Unix epoch; absent if it never was")
}

func memorySchema() map[string]any {
	return exactly("one strategy's memory", map[string]any{
		"last": keyed("the last act of each verb that the strategy proposed", exactly("one act", map[string]any{
			"at_ns":   number("integer", "when it began, in nanoseconds since the Unix epoch"),
			"outcome": words("how it stands", string(engine.Running), string(engine.Done), string(engine.Failed), string(engine.NoOp), string(engine.Abandoned)),
			"with":    keyed("its parameters", whatever("a parameter")),
		}, "with")),
		"note": whatever("the note that the strategy left, any JSON"),
	}, "last", "note")
}

func triggerSchema() map[string]any {
	return exactly("why the loop runs", map[string]any{
		"name": text("name of the trigger"),
		"kind": words("how it fired; manual is scanflow eval", "every", "cron", "at", "event", "alert", "watch", "manual"),
		"event": exactly("the event, where one fired it (CloudEvents)", map[string]any{
			"id": text("unique with source"), "source": text("who sent it"), "type": text("what it is about"),
			"subject": text("what it concerns"), "time": text("when it happened, RFC 3339"), "data": whatever("its content, any JSON"),
			"hops":   number("integer", "how many events led to it, one because of the other; absent for none"),
			"sender": text("who it came from: an agent as namespace/name, or a sender's name"),
		}, "subject", "data", "hops", "sender"),
		"watch": exactly("what changed, where a watch fired it", map[string]any{
			"objects": map[string]any{"type": "array", "description": "the objects, at most 100", "items": exactly("one object's change", map[string]any{
				"apiVersion": text("API version of the object"), "kind": text("its kind"), "namespace": text("its namespace"), "name": text("its name"),
				"type": words("what became of it", "added", "changed", "deleted"),
				"from": whatever("the watched field's value before; absent where there was none"),
				"to":   whatever("its value now; absent where there is none"),
			}, "from", "to")},
		}),
		"approval": text("the id of what a person approved, where this is the second look at it"),
	}, "event", "watch", "approval")
}

func targetSchema() map[string]any {
	return exactly("what is decided on", map[string]any{
		"apiVersion": text("API version; empty for a target of a static list"),
		"kind":       text("kind; empty for a target of a static list"),
		"namespace":  text("namespace"), "name": text("name"),
		"labels": keyed("its labels", text("a label's value")),
		"replicas": exactly("its size; absent for a target of a static list", map[string]any{
			"desired": number("integer", "replicas asked for"), "ready": number("integer", "replicas ready"),
		}),
		"placement": map[string]any{"type": "array", "description": "the nodes that its pods run on, sorted", "items": text("a node")},
		"model":     text("the model version in service; absent where it is not known"),
	}, "replicas", "placement", "model")
}

// exactly is an object with these properties and no others, all required but the
// optional ones. With no properties OPA would take it for an object with any; one
// that nothing can satisfy says the same and keeps OPA strict.
func exactly(doc string, properties map[string]any, optional ...string) map[string]any {
	required := []any{}
	for _, name := range sortedKeys(properties) {
		if !slices.Contains(optional, name) {
			required = append(required, name)
		}
	}
	if len(properties) == 0 {
		properties = map[string]any{"": map[string]any{"not": map[string]any{}}}
	}
	out := map[string]any{"type": "object", "description": doc, "properties": properties, "additionalProperties": false}
	if len(required) > 0 {
		out["required"] = required
	}
	return out
}

// keyed is an object whose keys are not known before.
func keyed(doc string, value map[string]any) map[string]any {
	return map[string]any{"type": "object", "description": doc, "additionalProperties": value}
}

func text(doc string) map[string]any { return number("string", doc) }

func number(kind, doc string) map[string]any { return map[string]any{"type": kind, "description": doc} }

func whatever(doc string) map[string]any { return map[string]any{"description": doc} }

func words(doc string, of ...string) map[string]any {
	out := text(doc)
	enum := make([]any, len(of))
	for i, word := range of {
		enum[i] = word
	}
	out["enum"] = enum
	return out
}

func paramsSchema(params map[string]any) map[string]any {
	properties := map[string]any{}
	for key, value := range params {
		properties[key] = valueSchema(value)
	}
	return exactly("exactly the manifest's params", properties)
}

// valueSchema is the type of a JSON value.
func valueSchema(value any) map[string]any {
	switch value := value.(type) {
	case nil:
		return map[string]any{"type": "null"}
	case bool:
		return map[string]any{"type": "boolean"}
	case string:
		return map[string]any{"type": "string"}
	case float64, json.Number:
		return map[string]any{"type": "number"}
	case map[string]any:
		properties := map[string]any{}
		for key, inner := range value {
			properties[key] = valueSchema(inner)
		}
		out := exactly("", properties)
		delete(out, "description")
		return out
	case []any:
		return listSchema(value)
	}
	return map[string]any{}
}

// listSchema takes a list to be of the types that its items have.
func listSchema(items []any) map[string]any {
	var kinds []any
	var seen []string
	for _, item := range items {
		schema := valueSchema(item)
		raw, err := json.Marshal(schema)
		if err != nil { // made of maps and strings only
			return map[string]any{"type": "array"}
		}
		if !slices.Contains(seen, string(raw)) {
			seen, kinds = append(seen, string(raw)), append(kinds, schema)
		}
	}
	switch len(kinds) {
	case 0:
		return map[string]any{"type": "array"}
	case 1:
		return map[string]any{"type": "array", "items": kinds[0]}
	}
	return map[string]any{"type": "array", "items": map[string]any{"anyOf": kinds}}
}
