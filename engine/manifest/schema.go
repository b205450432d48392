package manifest

import "reflect"

// ManifestSchema is the JSON Schema (draft 7) of an Agent manifest, for editors. It is
// generated from the tags that the decoder reads.
func ManifestSchema(kinds Kinds) map[string]any {
	out := schemaWalk{kinds, draft7{kinds}}.of(reflect.TypeFor[Agent](), 0)
	out["$schema"] = "http://json-schema.org/draft-07/schema#"
	out["title"] = "Scanflow Agent"
	return out
}

// draft7 is the dialect of JSON Schema that editors support.
type draft7 struct{ kinds Kinds }

func (d draft7) value(t reflect.Type, schema map[string]any) {
	if t == reflect.TypeFor[Header]() {
		schema["anyOf"] = []any{map[string]any{"type": "string", "minLength": 1, "maxLength": maxHeaderBytes}, schemaWalk{d.kinds, d}.of(reflect.TypeFor[Secret](), 0)}
	}
	if t == reflect.TypeFor[Bound]() {
		schema["anyOf"] = []any{map[string]any{"type": "number"}, schemaWalk{d.kinds, d}.structure(t, 0)}
	}
	if t == reflect.TypeFor[Share]() {
		delete(schema, "type")
		schema["anyOf"] = []any{
			map[string]any{"type": "integer", "minimum": 1},
			map[string]any{"type": "string", "pattern": sharePattern},
		}
	}
}

func (d draft7) structure(t reflect.Type, schema map[string]any) {
	schema["additionalProperties"] = false
	switch t {
	case reflect.TypeFor[Sensor]():
		if names := d.kinds.sensorNames(); len(names) > 0 {
			schema["oneOf"] = requireOne(names)
		}
	case reflect.TypeFor[Trigger]():
		schema["oneOf"] = requireOne(triggerKinds)
	case reflect.TypeFor[Targets]():
		schema["oneOf"] = requireOne([]string{"selector", "static"})
	case reflect.TypeFor[Secret]():
		schema["minProperties"], schema["maxProperties"] = 1, 1
	}
}

func (draft7) field(_ reflect.Type, f field, schema map[string]any) {
	if f.list == listSet {
		schema["uniqueItems"] = true
	}
}

func requireOne(names []string) []any {
	var out []any
	for _, name := range names {
		out = append(out, map[string]any{"required": []any{name}})
	}
	return out
}
