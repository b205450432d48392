package valuetypes

import (
	"github.com/open-policy-agent/opa/v1/ast"
)

// fromSchema is the type of the values of a JSON Schema. Of an unsupported keyword that
// would narrow it, it takes no notice.
func (l *lattice) fromSchema(schema any, depth int) *Type {
	s, ok := schema.(map[string]any)
	if !ok || depth > maxDepth*2 {
		return unknown
	}
	for _, union := range []string{"anyOf", "oneOf"} {
		if members, ok := s[union].([]any); ok && len(members) > 0 {
			var out *Type
			for _, m := range members {
				out = l.join(out, l.fromSchema(m, depth+1))
			}
			return out
		}
	}
	switch kind := s["type"].(type) {
	case string:
		return l.fromSchemaType(s, kind, depth)
	case []any:
		var out *Type
		for _, one := range kind {
			name, _ := one.(string)
			out = l.join(out, l.fromSchemaType(s, name, depth))
		}
		return orUnknown(out)
	}
	return unknown
}

func (l *lattice) fromSchemaType(s map[string]any, kind string, depth int) *Type {
	out := &Type{}
	switch kind {
	case "null":
		out.kinds = nullKind
	case "boolean":
		out.kinds = boolKind
	case "number", "integer":
		out.kinds = numberKind
	case "string":
		out.kinds = textKind
		out.texts, out.enum = enumOf(s)
	case "array":
		out.kinds, out.elem = arrayKind, l.fromSchema(s["items"], depth+1)
	case "object":
		out.kinds = objectKind
		properties, _ := s["properties"].(map[string]any)
		if len(properties) == 0 {
			out.rest = l.fromSchema(s["additionalProperties"], depth+1)
			return out
		}
		out.fields = make(map[string]*Type, len(properties))
		for key, property := range properties {
			if p, ok := property.(map[string]any); ok && p["not"] != nil {
				continue // a property that no document has
			}
			out.fields[key] = l.fromSchema(property, depth+1)
		}
	default:
		return unknown
	}
	return out
}

func enumOf(s map[string]any) ([]string, bool) {
	list, _ := s["enum"].([]any)
	var out []string
	for _, v := range list {
		text, ok := v.(string)
		if !ok {
			return nil, false
		}
		out = append(out, text)
	}
	return out, len(out) > 0
}

// fromValue is the type of a value of a data file.
func (l *lattice) fromValue(v ast.Value, depth int) *Type {
	l.steps++
	if depth > maxDepth || l.exhausted() {
		return unknown
	}
	out := &Type{setting: true}
	switch v := v.(type) {
	case ast.Null:
		out.kinds = nullKind
	case ast.Boolean:
		out.kinds = boolKind
	case ast.Number:
		out.kinds = numberKind
	case ast.String:
		out.kinds = textKind
	case *ast.Array:
		out.kinds, out.elem = arrayKind, never
		if v.Len() > maxFields {
			out.elem = unknown
			return out
		}
		v.Foreach(func(t *ast.Term) { out.elem = l.join(out.elem, l.fromValue(t.Value, depth+1)) })
	case ast.Object:
		out.kinds = objectKind
		if v.Len() > maxFields {
			out.rest = unknown
			return out
		}
		out.fields = map[string]*Type{}
		v.Foreach(func(key, value *ast.Term) {
			if name, ok := key.Value.(ast.String); ok {
				out.fields[string(name)] = l.fromValue(value.Value, depth+1)
			}
		})
	default:
		return unknown
	}
	return out
}
