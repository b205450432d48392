package manifest

import (
	"maps"
	"reflect"
)

// structural is the schema of a custom resource: OpenAPI 3 in the narrow form that
// an API server takes, where rules in CEL say what the form can't.
//
// It has no additionalProperties: false, which the form doesn't know. The API server
// drops unknown fields, and refuses them where a client asks for that by
// fieldValidation=Strict, as kubectl does unless told otherwise.
//
// Everything is bounded, generously: an API server takes a rule only if it is cheap
// for the largest object that the schema allows.
type structural struct{ kinds Kinds }

const (
	longestText     = 16_384
	longestURL      = 2_048
	longestDuration = 64
	mostItems       = 64
	mostSensors     = 128
	mostStatic      = 1_000
	mostKeys        = 64
	mostParams      = 256
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
		schema["maxLength"] = longestDuration
	case t == reflect.TypeFor[Share]():
		delete(schema, "type")
		schema[intOrString] = true
		schema["anyOf"] = []any{map[string]any{"type": "integer"}, map[string]any{"type": "string"}}
		schema["minimum"], schema["pattern"], schema["maxLength"] = 1, sharePattern, longestDuration
	case t == reflect.TypeFor[Header](): // a text or a mapping, which no structural schema can say
		schema[preserve] = true
	case t.Kind() == reflect.Interface:
		schema[preserve], schema["nullable"] = true, true
	case t.Kind() == reflect.Map:
		schema["maxProperties"] = mostKeys
		if t.Elem().Kind() == reflect.Interface {
			delete(schema, "additionalProperties")
			schema[preserve], schema["maxProperties"] = true, mostParams
		}
	case t.Kind() == reflect.Slice:
		schema["maxItems"] = mostOf(t.Elem())
	case schema["type"] == "string" && schema["format"] == nil:
		schema["maxLength"] = longestText
	}
}

func mostOf(item reflect.Type) int {
	switch item {
	case reflect.TypeFor[Sensor]():
		return mostSensors
	case reflect.TypeFor[StaticTarget]():
		return mostStatic
	}
	return mostItems
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

// field bounds texts that rules read, and says how the items of a list are told
// apart, so that two writers of one list don't overwrite each other.
func (structural) field(f field, schema map[string]any) {
	switch f.list {
	case "":
	case listOfWords:
		schema[listType] = "set"
	default:
		schema[listType], schema[listMapKeys] = "map", []any{f.list}
	}
	if items, ok := schema["items"].(map[string]any); ok && f.name == "urls" {
		items["maxLength"] = longestURL
	}
	if isAddress(f.name) {
		schema["maxLength"] = longestURL
	}
}

// resourceSchema is the schema of the whole resource. The API server has its own of
// metadata, and lets a resource narrow no more than the name.
func resourceSchema(kinds Kinds) map[string]any {
	walk := schemaWalk{kinds, structural{kinds}}
	out := walk.of(reflect.TypeFor[Agent](), 0)
	at := properties(out)
	name := maps.Clone(properties(at["metadata"])["name"].(map[string]any))
	at["metadata"] = map[string]any{"type": "object", "properties": map[string]any{"name": name}}
	for _, field := range []string{"apiVersion", "kind"} {
		at[field] = map[string]any{"type": "string", "description": at[field].(map[string]any)["description"]}
	}
	at["status"] = walk.of(reflect.TypeFor[Status](), 0)
	at["status"].(map[string]any)["description"] = "what became of the agent; Scanflow writes it"
	out["description"] = "A named loop with triggers, sensors, strategies and guards, that supervises a fleet."
	out["required"] = []any{"spec"}
	return out
}
