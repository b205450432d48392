package manifest

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/scanflow-k8s/scanflow/engine/mistake"
)

// JSONType is the JSON Schema type of a value in params.
func JSONType(value any) string {
	kind, _ := valueSchema(value)["type"].(string)
	return kind
}

// wordsFor has the names of JSON types in messages.
var wordsFor = map[string]string{
	"number": "a number", "string": "text", "boolean": "true or false", "array": "a list", "object": "a mapping", "null": "nothing",
}

// TypeInWords is the name of a JSON type in a message: "a number", "text".
func TypeInWords(kind string) string { return wordsFor[kind] }

// MistypedParam returns a mistake about a param whose readers expect another type. path is
// relative to spec.params. wants is the fix: who expects which type.
func (a *Agent) MistypedParam(path []string, value any, wants string) mistake.Mistake {
	message := "is " + TypeInWords(JSONType(value))
	switch value := value.(type) {
	case string:
		message += ", " + quote(value)
	case float64, json.Number:
		message += fmt.Sprintf(", %v", value)
	case bool:
		message = fmt.Sprintf("is %t", value)
	}
	return a.mistakeAtParam(path, message, wants)
}

// UnusedParam returns a mistake about a param that nothing reads. read has the params that
// something reads.
func (a *Agent) UnusedParam(name string, read []string) mistake.Mistake {
	var unset []string
	for _, r := range read {
		if _, set := a.Spec.Params[r]; !set {
			unset = append(unset, r)
		}
	}
	fix := "correct its name or leave it out"
	if near := closest(name, unset); near != "" {
		fix = "did you mean " + near + "?"
	} else if len(unset) > 0 {
		fix += "; those read and not set are " + strings.Join(slices.Sorted(slices.Values(unset)), ", ")
	}
	return a.mistakeAtParam([]string{name}, "nothing that this agent runs reads it", fix)
}

// mistakeAtParam is MistakeAt for a path of keys, which may have any characters.
func (a *Agent) mistakeAtParam(path []string, message, fix string) mistake.Mistake {
	p := root("").field("spec").field("params")
	for _, key := range path {
		p = p.field(key)
	}
	m := mistake.Mistake{File: a.File, Line: a.Line, Column: 1, Path: p.String(), Message: message, Fix: fix}
	if at, _, _ := p.find(a.node); at != nil {
		m.Line, m.Column = at.Line, at.Column
	}
	return m
}
