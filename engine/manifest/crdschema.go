package manifest

import (
	"maps"
	"reflect"
)

// structural is the dialect of a custom resource's schema: OpenAPI 3, restricted to the
// structural form that an API server accepts, and rules in CEL for what that can't express.
//
// The form does not allow additionalProperties: false. The API server drops unknown fields,
// or rejects them if the client sets fieldValidation=Strict, which is kubectl's default.
//
// Every list, map and string has a generous bound: an API server estimates the cost of a
// rule for the largest object that the schema allows, and rejects a rule that is expensive.
type structural struct{ kinds Kinds }

const (
	maxTextLength     = 16_384
	maxURLLength      = 2_048
	maxDurationLength = 64
	maxItems          = 64
	maxSensors        = 128
	maxStaticTargets  = 1_000
	maxKeys           = 64
	maxParams         = 256
)

const (
	preserve    = "x-kubernetes-preserve-unknown-fields"
	intOrString = "x-kubernetes-int-or-string"
	listType    = "x-kubernetes-list-type"
	listMapKeys = "x-kubernetes-list-map-keys"
	validations = "x-kubernetes-validations"
)

func (structural) value(t reflect.Type, schema map[string]any) {
	switch {
	case t == reflect.TypeFor[Duration]():
		schema["maxLength"] = maxDurationLength
		withSentence(schema, durationForm, durationForm.matches("self"))
	case t == reflect.TypeFor[Share]():
		delete(schema, "type")
		schema[intOrString] = true
		schema["anyOf"] = []any{map[string]any{"type": "integer"}, map[string]any{"type": "string"}}
		schema["minimum"], schema["maxLength"] = 1, maxDurationLength
		withSentence(schema, shareForm, "type(self) == int || "+shareForm.matches("string(self)"))
	case isMixed(t): // one value or a mapping, which a structural schema can't express
		schema[preserve] = true
	case t.Kind() == reflect.Interface:
		schema[preserve], schema["nullable"] = true, true
	case t.Kind() == reflect.Map:
		schema["maxProperties"] = maxKeys
		if t.Elem().Kind() == reflect.Interface {
			delete(schema, "additionalProperties")
			schema[preserve], schema["maxProperties"] = true, maxParams
		}
	case t.Kind() == reflect.Slice:
		schema["maxItems"] = maxItemsOf(t.Elem())
	case schema["type"] == "string" && schema["format"] == nil:
		schema["maxLength"] = maxTextLength
	}
}

func maxItemsOf(item reflect.Type) int {
	switch item {
	case reflect.TypeFor[Sensor]():
		return maxSensors
	case reflect.TypeFor[StaticTarget]():
		return maxStaticTargets
	}
	return maxItems
}

func (s structural) structure(t reflect.Type, schema map[string]any) {
	var out []any
	for _, r := range append(s.rules(t), addressRules(properties(schema))...) {
		one := map[string]any{"rule": r.cel, "message": r.message}
		if r.field != "" {
			one["fieldPath"] = r.field
		}
		out = append(out, one)
	}
	if len(out) > 0 {
		schema[validations] = out
	}
	if at := properties(schema); t == reflect.TypeFor[Spec]() {
		items, _ := at["primitives"].(map[string]any)["items"].(map[string]any)
		items["enum"] = anys(s.kinds.verbNames())
	}
}

// field bounds strings that rules read, has those with a form refused by a sentence, and sets
// the list type, so that server-side apply merges the items of two writers.
func (structural) field(owner reflect.Type, f field, schema map[string]any) {
	if form, _ := formOf(owner, f.name); form != nil {
		at := schema
		if items, ok := schema["items"].(map[string]any); ok {
			at = items
		}
		withSentence(at, form, form.matches("self"))
	}
	switch f.list {
	case "":
	case listSet:
		schema[listType] = "set"
	default:
		schema[listType], schema[listMapKeys] = "map", []any{f.list}
	}
	if items, ok := schema["items"].(map[string]any); ok && f.name == "urls" {
		items["maxLength"] = maxURLLength
	}
	if isURLField(f.name) {
		schema["maxLength"] = maxURLLength
	}
}

// resourceSchema is the schema of the whole resource. Of metadata, which the API server
// validates itself, a resource may restrict only the name.
func resourceSchema(kinds Kinds) map[string]any {
	walk := schemaWalk{kinds, structural{kinds}}
	out := walk.of(reflect.TypeFor[Agent](), 0)
	at := properties(out)
	name := maps.Clone(properties(at["metadata"])["name"].(map[string]any))
	delete(name, validations) // a rule of the whole object has it: the API server takes none here
	at["metadata"] = map[string]any{"type": "object", "properties": map[string]any{"name": name}}
	for _, field := range []string{"apiVersion", "kind"} {
		at[field] = map[string]any{"type": "string", "description": at[field].(map[string]any)["description"]}
	}
	at["status"] = walk.of(reflect.TypeFor[Status](), 0)
	at["status"].(map[string]any)["description"] = "what became of the agent; Scanflow writes it"
	at["status"].(map[string]any)["default"] = unjudged()
	out["description"] = "A named loop with triggers, sensors, strategies and guards, that supervises a fleet."
	out["required"] = []any{"spec"}
	return out
}
