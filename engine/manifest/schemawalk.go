package manifest

import (
	"reflect"
	"strconv"
)

// schemaWalk generates the schema of a type from the tags that the decoder reads. A dialect
// adds what differs between JSON Schema and the structural schema of a custom resource.
type schemaWalk struct {
	kinds   Kinds
	dialect dialect
}

// dialect changes each part of a schema after it was generated.
type dialect interface {
	// value is called for a type that is not a struct.
	value(t reflect.Type, schema map[string]any)
	// structure is called for a struct, after its properties.
	structure(t reflect.Type, schema map[string]any)
	// field is called for a field of a struct, after its value.
	field(owner reflect.Type, f field, schema map[string]any)
}

func (w schemaWalk) of(t reflect.Type, depth int) map[string]any {
	for t != nil && t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if t != nil && depth <= maxDepth && t.Kind() == reflect.Struct && !isText(t) && !isMixed(t) {
		return w.structure(t, depth)
	}
	out := map[string]any{}
	if t == nil || depth > maxDepth {
		t = reflect.TypeFor[any]()
	}
	switch {
	case t == reflect.TypeFor[Duration]():
		out["type"], out["pattern"] = "string", durationPattern
	case t == reflect.TypeFor[Time]():
		out["type"], out["format"] = "string", "date-time"
	case isText(t):
		out["type"] = "string"
	case t.Kind() == reflect.Map:
		out["type"], out["additionalProperties"] = "object", w.of(t.Elem(), depth+1)
	case t.Kind() == reflect.Slice:
		out["type"], out["items"] = "array", w.of(t.Elem(), depth+1)
	default:
		if name := scalarType(t.Kind()); name != "" {
			out["type"] = name
		}
	}
	w.dialect.value(t, out)
	return out
}

// isMixed reports whether a struct may be written as one value too.
func isMixed(t reflect.Type) bool {
	return t == reflect.TypeFor[Header]() || t == reflect.TypeFor[Bound]()
}

// scalarType is the JSON type of a scalar, "" for a type that holds any JSON.
func scalarType(k reflect.Kind) string {
	switch k {
	case reflect.String:
		return "string"
	case reflect.Bool:
		return "boolean"
	case reflect.Float32, reflect.Float64:
		return "number"
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
		reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return "integer"
	}
	return ""
}

func (w schemaWalk) structure(t reflect.Type, depth int) map[string]any {
	properties, required := map[string]any{}, []any{}
	for _, f := range fieldsOf(t) {
		one := w.of(f.typ, depth+1)
		if f.required {
			required = append(required, f.name)
			notEmpty(f, one)
		}
		tagged(t, f, one)
		w.dialect.field(t, f, one)
		properties[f.name] = one
	}
	if t == reflect.TypeFor[Sensor]() {
		for _, kind := range w.kinds.sensorNames() {
			config := w.of(reflect.TypeOf(w.kinds.Sensors[kind]()), depth+1)
			config["description"] = "a sensor of the kind " + kind
			properties[kind] = config
		}
	}
	out := map[string]any{"type": "object", "properties": properties}
	if len(required) > 0 {
		out["required"] = required
	}
	w.dialect.structure(t, out)
	return out
}

func notEmpty(f field, schema map[string]any) {
	switch schema["type"] {
	case "string":
		schema["minLength"] = 1
	case "array":
		schema["minItems"] = 1
	case "object":
		if f.typ.Kind() == reflect.Map {
			schema["minProperties"] = 1
		}
	}
}

// tagged adds what the tags of a field declare. For a list, enum and pattern apply to the
// items.
func tagged(owner reflect.Type, f field, schema map[string]any) {
	if f.doc != "" {
		schema["description"] = f.doc
	}
	if least, err := strconv.Atoi(f.minimum); err == nil {
		schema["minimum"] = least
	}
	if most, err := strconv.Atoi(f.maximum); err == nil {
		schema["maximum"] = most
	}
	if f.fallback != "" && schema["type"] == "string" {
		schema["default"] = f.fallback
	}
	at := schema
	if items, ok := schema["items"].(map[string]any); ok {
		at = items
	}
	if len(f.enum) > 0 {
		at["enum"] = anys(f.enum)
	}
	if form, longest := formOf(owner, f.name); longest > 0 {
		at["maxLength"] = longest
		if form != nil {
			at["pattern"] = form.String()
		}
	}
}

// formOf is the form of a name, and its maximum length. The length is 0 for a field that is
// not a name.
func formOf(owner reflect.Type, name string) (form *format, longest int) {
	switch owner {
	case reflect.TypeFor[Metadata]():
		if name == "name" || name == "namespace" {
			return dnsPart, 63
		}
	case reflect.TypeFor[Targets](), reflect.TypeFor[WatchTrigger]():
		switch name {
		case "namespace":
			return dnsPartOrEvery, 63
		case "name":
			return dnsParts, 253
		case "field":
			return watchedField, 253
		}
	case reflect.TypeFor[StaticTarget]():
		switch name {
		case "name":
			return dnsParts, 253
		case "namespace":
			return dnsPart, 63
		}
	case reflect.TypeFor[EventTrigger](), reflect.TypeFor[AlertTrigger]():
		if name == "from" {
			return senderName, 253
		}
	case reflect.TypeFor[Sensor]():
		switch name {
		case "name":
			return signalName, 128
		case "since":
			return markName, 128
		}
	case reflect.TypeFor[Spec]():
		if name == "strategies" {
			return strategyName, 253
		}
	case reflect.TypeFor[Secret]():
		if name == "env" {
			return nil, 253 // a message about a pattern would print the value
		}
	}
	return nil, 0
}

func anys(words []string) []any {
	out := make([]any, len(words))
	for i, word := range words {
		out[i] = word
	}
	return out
}
