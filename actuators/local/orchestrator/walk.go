package orchestrator

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/scanflow-k8s/scanflow/actuators/local/orchestrator/workflow"
	"github.com/scanflow-k8s/scanflow/engine/mistake"
)

// source holds the positions of an object's fields in its file.
type source struct {
	file  string
	line  int            // of the document's first line
	lines map[string]int // by path
	// refused are the paths in which the walker has found mistakes.
	refused []string
}

// known reports whether the walker has found a mistake at a path or below it.
func (s *source) known(path string) bool {
	return slices.ContainsFunc(s.refused, func(r string) bool { return r == path || strings.HasPrefix(r, path+".") })
}

// at returns the line of a path, or of its nearest parent in the file.
func (s *source) at(path string) int {
	for path != "" {
		if line, ok := s.lines[path]; ok {
			return line
		}
		cut := strings.LastIndexAny(path, ".[")
		if cut < 0 {
			break
		}
		path = path[:cut]
	}
	return s.line
}

// walker compares a document with its Go type: each field must exist, be supported, and
// have a value of the right type.
type walker struct {
	src   *source
	found *mistake.Mistakes
	kind  string
}

// partial reports whether a Go type holds only the supported fields, so that an unknown one
// may be valid in a cluster.
func partial(t reflect.Type) bool { return !strings.HasPrefix(t.PkgPath(), "k8s.io/") }

func (w *walker) add(line int, path, format string, args ...any) {
	*w.found = append(*w.found, mistake.Mistake{File: w.src.file, Line: line, Path: path, Message: fmt.Sprintf(format, args...)})
}

func (w *walker) walk(n *yaml.Node, t reflect.Type, ok *allowed, path string) {
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	if n.Tag == "!!null" {
		return // the field is not set
	}
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch t {
	case reflect.TypeFor[resource.Quantity](), reflect.TypeFor[metav1.Time]():
		return
	case reflect.TypeFor[workflow.Text]():
		if n.Kind != yaml.ScalarNode {
			w.add(n.Line, path, "must be text, a number, true or false")
		}
		return
	case reflect.TypeFor[intstr.IntOrString]():
		if n.Kind != yaml.ScalarNode || n.Tag != "!!int" && n.Tag != "!!str" {
			w.add(n.Line, path, "must be a whole number or a string")
		}
		return
	}
	switch t.Kind() {
	case reflect.Struct, reflect.Map:
		if n.Kind != yaml.MappingNode {
			w.add(n.Line, path, "must be a mapping of fields")
			return
		}
		w.mapping(n, t, ok, path)
	case reflect.Slice:
		if n.Kind != yaml.SequenceNode {
			w.add(n.Line, path, "must be a list")
			return
		}
		for i, item := range n.Content {
			at := fmt.Sprintf("%s[%d]", path, i)
			w.src.lines[at] = item.Line
			if next := ok.child("[]"); next != nil {
				w.walk(item, t.Elem(), next, at)
			}
		}
	default:
		w.scalar(n, t, path)
	}
}

func (w *walker) mapping(n *yaml.Node, t reflect.Type, ok *allowed, path string) {
	seen := map[string]int{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		k, v := n.Content[i], n.Content[i+1]
		at := k.Value
		if path != "" {
			at = path + "." + k.Value
		}
		if first, twice := seen[k.Value]; twice {
			w.add(k.Line, at, "is written twice, first at line %d; keep one", first)
			continue
		}
		seen[k.Value] = k.Line
		w.src.lines[at] = k.Line
		if k.Value == "<<" && k.Tag == "!!merge" {
			w.add(k.Line, path, "YAML merge keys (<<) are not read; write the fields out")
			continue
		}
		var of reflect.Type
		if t.Kind() == reflect.Map {
			of = t.Elem()
		} else if of = fieldType(t, k.Value); of == nil {
			if partial(t) {
				w.add(k.Line, at, "can't be honoured by the local orchestrator; %s", fixFor(w.kind, k.Value))
			} else {
				w.add(k.Line, at, "no such field; check its spelling and its indentation")
			}
			continue
		}
		if v.Tag == "!!null" {
			continue
		}
		next := ok.child(k.Value)
		if next == nil {
			w.add(k.Line, at, "can't be honoured by the local orchestrator; %s", fixFor(w.kind, k.Value))
			continue
		}
		w.walk(v, of, next, at)
	}
}

func (w *walker) scalar(n *yaml.Node, t reflect.Type, path string) {
	var want, tag string
	switch t.Kind() {
	case reflect.String:
		want, tag = "a string; put it in quotes", "!!str"
	case reflect.Bool:
		want, tag = "true or false", "!!bool"
	case reflect.Int, reflect.Int32, reflect.Int64:
		want, tag = "a whole number", "!!int"
	default:
		return
	}
	if n.Kind != yaml.ScalarNode {
		w.add(n.Line, path, "must be %s", want)
	} else if n.Tag != tag {
		w.add(n.Line, path, "%q must be %s", n.Value, want)
	}
}

// fieldType returns the type of the struct field with a JSON name, nil if there is none.
func fieldType(t reflect.Type, name string) reflect.Type {
	for f := range t.Fields() {
		tag, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if f.Anonymous && tag == "" {
			if found := fieldType(f.Type, name); found != nil {
				return found
			}
		}
		if tag == name && tag != "" {
			return f.Type
		}
	}
	return nil
}
