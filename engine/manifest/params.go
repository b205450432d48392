package manifest

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/scanflow-k8s/scanflow/engine/mistake"
)

// JSONType is the type of a value in params, as JSON Schema calls it.
func JSONType(value any) string {
	kind, _ := valueSchema(value)["type"].(string)
	return kind
}

// wordsFor are the types of JSON in the words that messages use.
var wordsFor = map[string]string{
	"number": "a number", "string": "text", "boolean": "true or false", "array": "a list", "object": "a mapping", "null": "nothing",
}

// TypeInWords is a type of JSON as a message calls it: "a number", "text".
func TypeInWords(kind string) string { return wordsFor[kind] }

// MistypedParam is a mistake about a param of another type than those who read it take
// it to be. Path leads to it from spec.params; wants says who takes it for what.
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
	return a.mistakenParam(path, message, wants)
}

// UnreadParam is a mistake about a param that nothing reads. Read are those that something does.
func (a *Agent) UnreadParam(name string, read []string) mistake.Mistake {
	var unset []string
	for _, r := range read {
		if _, set := a.Spec.Params[r]; !set {
			unset = append(unset, r)
		}
	}
	fix := "correct its name or leave it out"
	if near := nearest(name, unset); near != "" {
		fix = "did you mean " + near + "?"
	} else if len(unset) > 0 {
		fix += "; those read and not set are " + strings.Join(slices.Sorted(slices.Values(unset)), ", ")
	}
	return a.mistakenParam([]string{name}, "nothing that this agent runs reads it", fix)
}

// mistakenParam is Mistaken for a key at any depth of the params, whatever is in it.
func (a *Agent) mistakenParam(path []string, message, fix string) mistake.Mistake {
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
