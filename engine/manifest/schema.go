package manifest

import "reflect"

// ManifestSchema is the JSON Schema (draft 7) of an Agent manifest, for editors
// and for the custom resource. It is made from the same types and tags that the
// decoder reads.
func ManifestSchema(kinds Kinds) map[string]any {
	out := typeSchema(reflect.TypeFor[Agent](), kinds, 0)
	out["$schema"] = "http://json-schema.org/draft-07/schema#"
	out["title"] = "Scanflow Agent"
	return out
}

func typeSchema(t reflect.Type, kinds Kinds, depth int) map[string]any {
	for t != nil && t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if t == nil || depth > maxDepth {
		return map[string]any{}
	}
	switch t {
	case reflect.TypeFor[Duration]():
		return map[string]any{"type": "string", "pattern": `^([0-9]+(\.[0-9]*)?|\.[0-9]+)(ns|us|µs|μs|ms|s|m|h)(([0-9]+(\.[0-9]*)?|\.[0-9]+)(ns|us|µs|μs|ms|s|m|h))*$|^0$`}
	case reflect.TypeFor[Time]():
		return map[string]any{"type": "string", "format": "date-time"}
	case reflect.TypeFor[Share]():
		return map[string]any{"anyOf": []any{
			map[string]any{"type": "integer", "minimum": 1},
			map[string]any{"type": "string", "pattern": `^[0-9]+(\.[0-9]+)?%$|^[1-9][0-9]*$`},
		}}
	}
	if isText(t) {
		return map[string]any{"type": "string"}
	}
	switch t.Kind() {
	case reflect.Struct:
		return structSchema(t, kinds, depth)
	case reflect.Map:
		return map[string]any{"type": "object", "additionalProperties": typeSchema(t.Elem(), kinds, depth+1)}
	case reflect.Slice:
		return map[string]any{"type": "array", "items": typeSchema(t.Elem(), kinds, depth+1)}
	case reflect.String:
		return map[string]any{"type": "string"}
	case reflect.Bool:
		return map[string]any{"type": "boolean"}
	case reflect.Float32, reflect.Float64:
		return map[string]any{"type": "number"}
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
		reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return map[string]any{"type": "integer"}
	}
	return map[string]any{}
}

func structSchema(t reflect.Type, kinds Kinds, depth int) map[string]any {
	properties, required := map[string]any{}, []any{}
	for _, f := range fieldsOf(t) {
		one := typeSchema(f.typ, kinds, depth+1)
		if f.doc != "" {
			one["description"] = f.doc
		}
		addEnum(one, f)
		if f.required {
			required = append(required, f.name)
			switch one["type"] {
			case "string":
				one["minLength"] = 1
			case "array":
				one["minItems"] = 1
			case "object":
				if f.typ.Kind() == reflect.Map {
					one["minProperties"] = 1
				}
			}
		}
		properties[f.name] = one
	}
	out := map[string]any{"type": "object", "properties": properties, "additionalProperties": false}
	switch t {
	case reflect.TypeFor[Sensor]():
		one := []any{}
		for _, kind := range kinds.sensorNames() {
			config := typeSchema(reflect.TypeOf(kinds.Sensors[kind]()), kinds, depth+1)
			config["description"] = "a sensor of the kind " + kind
			properties[kind] = config
			one = append(one, map[string]any{"required": []any{kind}})
		}
		if len(one) > 0 {
			out["oneOf"] = one
		}
	case reflect.TypeFor[Trigger]():
		out["oneOf"] = requireOne(triggerWays)
	case reflect.TypeFor[Targets]():
		out["oneOf"] = requireOne([]string{"selector", "static"})
	case reflect.TypeFor[Secret]():
		out["minProperties"], out["maxProperties"] = 1, 1
	}
	if len(required) > 0 {
		out["required"] = required
	}
	return out
}

func requireOne(names []string) []any {
	var out []any
	for _, name := range names {
		out = append(out, map[string]any{"required": []any{name}})
	}
	return out
}

// addEnum puts the words on the string itself, or on the items of a list of them.
func addEnum(schema map[string]any, f field) {
	if len(f.enum) > 0 {
		at := schema
		if items, ok := schema["items"].(map[string]any); ok {
			at = items
		}
		words := make([]any, len(f.enum))
		for i, word := range f.enum {
			words[i] = word
		}
		at["enum"] = words
	}
	if f.fallback != "" && schema["type"] == "string" {
		schema["default"] = f.fallback
	}
}
