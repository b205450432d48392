package manifest

import (
	"encoding/json"
	"maps"
	"reflect"
	"slices"

	"github.com/scanflow-k8s/scanflow/engine"
)

// DocumentSchema is the JSON Schema of an agent's own document, the `input` of its
// policies: the signals are exactly its sensors, the params exactly what it sets.
//
// OPA's type checker reads type, properties, items and anyOf. It ignores enum, required and
// additionalProperties, which are for other validators. OPA assumes that an object with
// properties has no others: a reference to a signal, param or strategy that the agent does
// not have is a compile error. Objects with arbitrary keys (labels, claims)
// therefore have no properties.
func DocumentSchema(a *Agent) map[string]any {
	signals := map[string]any{}
	for _, s := range a.Spec.Sensors {
		signals[s.Name] = signalSchema(s)
	}
	memory, ofStrategy := map[string]any{}, memorySchema(a.verbs)
	for _, name := range a.Spec.Strategies {
		memory[name] = ofStrategy
	}
	remembered := map[string]any{"type": "object", "description": "what the agent remembers of the target, by strategy", "additionalProperties": ofStrategy}
	if len(memory) > 0 { // memory of strategies that it had before may be there too
		remembered["properties"] = memory
	}
	return map[string]any{
		"$schema":  "http://json-schema.org/draft-07/schema#",
		"title":    "Document of the agent " + a.Info().String(),
		"type":     "object",
		"required": []any{"agent", "claims", "memory", "now_ns", "params", "signals", "target", "trigger"},
		"properties": map[string]any{
			"agent": objectSchema("who decides", map[string]any{
				"namespace": stringSchema("namespace of the agent"), "name": stringSchema("name of the agent"),
				"role": stringSchema("its part, as in the manifest"), "layer": stringSchema("its layer, as in the manifest"),
			}),
			"now_ns":  typeSchema("integer", "the moment of the firing, in nanoseconds since the Unix epoch"),
			"trigger": triggerSchema(),
			"target":  targetSchema(a.Spec.Targets.Pods),
			"signals": objectSchema("exactly the agent's sensors", signals),
			"params":  paramsSchema(a.Spec.Params),
			"memory":  remembered,
			"claims": mapSchema("what is in flight on the target, by claim: replicas, traffic, workflow/NAME, ...", objectSchema("one claim", map[string]any{
				"agent": stringSchema("namespace/name of the agent that holds it"), "strategy": stringSchema("its strategy"), "verb": stringSchema("the primitive"),
				"state": enumSchema("running, or cooling while the verb's cooldown lasts", "running", "cooling"),
			})),
		},
		"additionalProperties": false,
	}
}

// valueSchemaOf is the schema of a sensor's value. The configuration declares it by a method
// ValueSchema() map[string]any, or ValueType() string for a JSON type; nil if by neither.
func valueSchemaOf(config any) map[string]any {
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
	of := valueSchemaOf(s.Config)
	if s.Since != "" { // only a number can be counted since a mark
		of = map[string]any{"type": "number"}
	}
	value := func(what, when string) map[string]any {
		if of == nil {
			return anySchema(what + ", any JSON; " + when)
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
		"state":  enumSchema("whether the value may be used", states...),
		"value":  value("what was measured", "only where the state is ok"),
		"last":   value("the last value that was ok", "only where the state is not, and there was one"),
		"age_ns": typeSchema("integer", "nanoseconds since it was measured; absent if it never was. To read it counts as reading now_ns"),
		"window": typeSchema("integer", "nanoseconds that the value was computed over; 0 for an instant"),
	}
	if s.Since != "" {
		properties["since_ns"] = sinceSchema()
	}
	if c, is := s.Config.(interface{ MembersBy() string }); is && c.MembersBy() != "" {
		properties["missing"] = missingSchema()
	}
	if s.Sustained != nil {
		properties["sustained"] = sustainedSchema(s.Sustained)
	}
	return objectSchema("the signal "+s.Name, properties, "value", "last", "age_ns", "since_ns", "missing", "sustained")
}

func sinceSchema() map[string]any {
	return typeSchema("integer", "of a sensor with since: when the mark was set that the value counts from, in nanoseconds since the Unix epoch; absent if it never was")
}

func missingSchema() map[string]any {
	return mapSchema("of a sensor with by: the members without a number, each with its state; only where the state of the signal is not ok", stringSchema("empty, nan, stale or error"))
}

func memorySchema(verbs map[string]reflect.Type) map[string]any {
	return objectSchema("one strategy's memory", map[string]any{
		"last":       lastActsSchema(verbs),
		"note":       anySchema("the note that the strategy left, any JSON"),
		"remembered": anySchema("the value of the strategy's rule remember, any JSON"),
	}, "last", "note", "remembered")
}

func triggerSchema() map[string]any {
	return objectSchema("why the loop runs", map[string]any{
		"name": stringSchema("name of the trigger"),
		"kind": enumSchema("how it fired; manual is scanflow eval", "every", "cron", "at", "event", "alert", "watch", "manual"),
		"event": objectSchema("the event, where one fired it (CloudEvents)", map[string]any{
			"id": stringSchema("unique with source"), "source": stringSchema("who sent it"), "type": stringSchema("what it is about"),
			"subject": stringSchema("what it concerns"), "time": stringSchema("when it happened, RFC 3339"), "data": anySchema("its content, any JSON"),
			"hops":   typeSchema("integer", "how many events led to it, one because of the other; absent for none"),
			"sender": stringSchema("who it came from: an agent as namespace/name, or a sender's name"),
		}, "subject", "data", "hops", "sender"),
		"watch": objectSchema("what changed, where a watch fired it", map[string]any{
			"objects": map[string]any{"type": "array", "description": "the objects, at most 100", "items": objectSchema("one object's change", map[string]any{
				"apiVersion": stringSchema("API version of the object"), "kind": stringSchema("its kind"), "namespace": stringSchema("its namespace"), "name": stringSchema("its name"),
				"type": enumSchema("what became of it", "added", "changed", "deleted"),
				"from": anySchema("the watched field's value before; absent where there was none"),
				"to":   anySchema("its value now; absent where there is none"),
			}, "from", "to")},
		}),
		"approval": stringSchema("the id of what a person approved, where this is the second look at it"),
	}, "event", "watch", "approval")
}

// targetSchema is the schema of the target. It has the pods only where the agent asks for them.
func targetSchema(pods bool) map[string]any {
	properties := map[string]any{
		"apiVersion": stringSchema("API version; empty for a target of a static list"),
		"kind":       stringSchema("kind; empty for a target of a static list"),
		"namespace":  stringSchema("namespace"), "name": stringSchema("name"),
		"labels": mapSchema("its labels", stringSchema("a label's value")),
		"replicas": objectSchema("its size; absent for a target of a static list", map[string]any{
			"desired": typeSchema("integer", "replicas asked for"), "ready": typeSchema("integer", "replicas ready"),
		}),
		"placement": map[string]any{"type": "array", "description": "the nodes that its pods run on, sorted", "items": stringSchema("a node")},
		"model":     stringSchema("the model version in service; absent where it is not known"),
	}
	if pods {
		maps.Copy(properties, podsSchema())
	}
	return objectSchema("what is decided on", properties, "replicas", "placement", "model", "pods", "pods_omitted")
}

// objectSchema is an object with these properties and no others, all required but the
// optional ones. OPA treats an object without properties as one with any, so an empty one
// gets a property that no value satisfies.
func objectSchema(doc string, properties map[string]any, optional ...string) map[string]any {
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

// mapSchema is an object with arbitrary keys.
func mapSchema(doc string, value map[string]any) map[string]any {
	return map[string]any{"type": "object", "description": doc, "additionalProperties": value}
}

func stringSchema(doc string) map[string]any { return typeSchema("string", doc) }

func typeSchema(kind, doc string) map[string]any {
	return map[string]any{"type": kind, "description": doc}
}

func anySchema(doc string) map[string]any { return map[string]any{"description": doc} }

func enumSchema(doc string, of ...string) map[string]any {
	out := stringSchema(doc)
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
	return objectSchema("exactly the manifest's params", properties)
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
		out := objectSchema("", properties)
		delete(out, "description")
		return out
	case []any:
		return listSchema(value)
	}
	return map[string]any{}
}

// listSchema allows the types that the items of a list have.
func listSchema(items []any) map[string]any {
	var kinds []any
	var seen []string
	for _, item := range items {
		schema := valueSchema(item)
		raw, err := json.Marshal(schema)
		if err != nil { // can't happen: it has maps and strings only
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
