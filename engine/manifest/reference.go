package manifest

import (
	"fmt"
	"reflect"
	"strings"

	"github.com/scanflow-k8s/scanflow/engine"
)

// Reference is a page of Markdown with the fields of a manifest, the sensor kinds, the
// parameters of the primitives, and the document that policies get. It is generated from
// the tags that the decoder reads and the schema that the type checker reads.
func Reference(kinds Kinds) string {
	var b strings.Builder
	b.WriteString(`# Agent manifests

A manifest is YAML, one Agent a document. Unknown fields are refused, and every mistake is reported with its file, line and fix.

- A **duration** is written like 500ms, 30s, 5m or 24h.
- A **time** is written like 2026-03-01T03:00:00Z (RFC 3339).
- A **secret** is never written: ` + "`{env: NAME}`, `{file: PATH}` or `{secretKeyRef: {name: NAME, key: KEY}}`" + ` says where it is found.
- A URL never holds a user or a password.
- An alias (` + "`*name`" + `) may stand for a value; merge keys (` + "`<<`" + `) are refused.

## Fields

`)
	table(&b, reflect.TypeFor[Agent]())
	b.WriteString("## Sensor kinds\n\nA sensor has exactly one of these keys.\n\n")
	for _, kind := range kinds.sensorNames() {
		fmt.Fprintf(&b, "### %s\n\n", kind)
		table(&b, reflect.TypeOf(kinds.Sensors[kind]()))
	}
	b.WriteString("## Primitives\n\nThe parameters that a strategy gives in `with`.\n\n")
	for _, verb := range kinds.verbNames() {
		fmt.Fprintf(&b, "### %s\n\n", verb)
		table(&b, reflect.TypeOf(kinds.Verbs[verb]()))
	}
	document(&b)
	return strings.TrimRight(b.String(), "\n") + "\n"
}

// table lists the fields of a struct and of nested structs, by their paths.
func table(b *strings.Builder, t reflect.Type) {
	var rows [][4]string
	var walk func(prefix string, t reflect.Type, depth int)
	walk = func(prefix string, t reflect.Type, depth int) {
		for _, f := range fieldsOf(t) {
			fallback := "`" + f.fallback + "`"
			switch {
			case f.required:
				fallback = "required"
			case f.fallback == "":
				fallback = ""
			}
			meaning := f.doc
			if len(f.enum) == 1 {
				meaning += ": `" + f.enum[0] + "`"
			} else if len(f.enum) > 1 {
				meaning += "; one of `" + strings.Join(f.enum, "`, `") + "`"
			}
			path := prefix + f.name
			rows = append(rows, [4]string{path, typeName(f.typ), fallback, meaning})
			if inner := element(f.typ); !isText(inner) && inner != reflect.TypeFor[Secret]() && !isMixed(inner) && depth < maxDepth {
				walk(path+suffix(f.typ), inner, depth+1)
			}
		}
	}
	walk("", element(t), 0)
	if len(rows) == 0 {
		b.WriteString("It has no fields.\n\n")
		return
	}
	b.WriteString("| field | type | default | meaning |\n|---|---|---|---|\n")
	for _, r := range rows {
		fmt.Fprintf(b, "| `%s` | %s | %s | %s |\n", r[0], cell(r[1]), cell(r[2]), cell(r[3]))
	}
	b.WriteString("\n")
}

// suffix is the path from a value of the type to a field of its elements: "[]." for a list.
func suffix(t reflect.Type) string {
	out := ""
	for ; ; t = t.Elem() {
		switch t.Kind() {
		case reflect.Pointer:
		case reflect.Slice:
			out += "[]"
		case reflect.Map:
			out += ".KEY"
		default:
			return out + "."
		}
	}
}

func typeName(t reflect.Type) string {
	switch t {
	case reflect.TypeFor[Duration]():
		return "duration"
	case reflect.TypeFor[Time]():
		return "time"
	case reflect.TypeFor[Share]():
		return "whole number or percentage"
	case reflect.TypeFor[Secret]():
		return "secret"
	case reflect.TypeFor[Header]():
		return "text or secret"
	case reflect.TypeFor[Bound]():
		return "number or param"
	}
	if t.Kind() != reflect.Pointer && isText(t) {
		return "text"
	}
	switch t.Kind() {
	case reflect.Pointer:
		return typeName(t.Elem())
	case reflect.Struct:
		return "mapping"
	case reflect.Slice:
		return "list of " + typeName(t.Elem())
	case reflect.Map:
		return "mapping to " + typeName(t.Elem())
	case reflect.String:
		return "text"
	case reflect.Bool:
		return "true or false"
	case reflect.Float32, reflect.Float64:
		return "number"
	case reflect.Interface:
		return "any"
	}
	return "whole number"
}

func cell(s string) string {
	return strings.ReplaceAll(strings.ReplaceAll(s, "|", `\|`), "\n", " ")
}

// document lists the paths of the document of an agent with one sensor, strategy and param.
func document(b *strings.Builder) {
	b.WriteString("## The document\n\nWhat a policy sees as `input`. Each agent has its own schema, with exactly its signals and params: `scanflow schema` prints it.\n\n")
	b.WriteString("| path | type | meaning |\n|---|---|---|\n")
	sample := &Agent{Spec: Spec{
		Targets: Targets{Pods: true},
		Sensors: []Sensor{{Name: "NAME"}}, Strategies: []string{"STRATEGY"},
		Mode: engine.Enforce, Params: map[string]any{"NAME": map[string]any{}},
	}}
	schema := DocumentSchema(sample)
	properties(properties(properties(schema)["signals"])["NAME"])["since_ns"] = sinceSchema()
	properties(properties(properties(schema)["signals"])["NAME"])["missing"] = missingSchema()
	properties(properties(properties(schema)["signals"])["NAME"])["sustained"] = sustainedSchema(&Sustained{Above: &Bound{}, Below: &Bound{}})
	var walk func(path string, schema map[string]any)
	walk = func(path string, schema map[string]any) {
		properties, _ := schema["properties"].(map[string]any)
		for _, name := range sortedKeys(properties) {
			inner := properties[name].(map[string]any)
			at := path + "." + name
			if name == "STRATEGY" {
				at = path + `["STRATEGY"]`
			}
			if path == "input.params" {
				inner = map[string]any{"description": "a param, as the manifest sets it"}
			}
			kind, _ := inner["type"].(string)
			if kind == "" {
				kind = "any"
			}
			doc, _ := inner["description"].(string)
			if enum, ok := inner["enum"].([]any); ok {
				words := make([]string, len(enum))
				for i, word := range enum {
					words[i] = fmt.Sprintf("`%v`", word)
				}
				doc += ": " + list(words)
			}
			fmt.Fprintf(b, "| `%s` | %s | %s |\n", at, kind, cell(doc))
			walk(at, inner)
		}
		if more, ok := schema["additionalProperties"].(map[string]any); ok && properties == nil && more["type"] == "object" {
			walk(path+"[KEY]", more)
		}
		if items, ok := schema["items"].(map[string]any); ok {
			walk(path+"[]", items)
		}
	}
	walk("input", schema)
}
