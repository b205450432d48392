package manifest

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"reflect"
	"slices"
	"strconv"

	"go.yaml.in/yaml/v3"

	"github.com/scanflow-k8s/scanflow/engine"
)

// DecodeMap reads the parameters of a primitive, as JSON values, into the struct
// that `into` points to, by the rules of Decode. It returns every mistake as a
// sentence, like "with.replicas: must be a whole number, not 2.5". A field that
// takes any JSON gets the value of the map itself, not a copy.
func DecodeMap(m map[string]any, into any) []string {
	b := nodeBuilder{origin: map[*yaml.Node]any{}}
	if m == nil {
		m = map[string]any{}
	}
	d := newDecoder("", b.node(m, 0), "with", Kinds{})
	d.origin = b.origin
	d.decode(into)
	return d.mistakes.Lines()
}

// nodeBuilder turns JSON values into the tree that the decoder reads, so that
// there is one decoder with one set of rules.
type nodeBuilder struct{ origin map[*yaml.Node]any }

func (b nodeBuilder) node(v any, depth int) *yaml.Node {
	n := &yaml.Node{Kind: yaml.ScalarNode}
	b.origin[n] = v
	if depth > maxDepth+1 { // the decoder refuses it before it gets here
		n.Tag = "!!null"
		return n
	}
	switch v := v.(type) {
	case nil:
		n.Tag = "!!null"
	case bool:
		n.Tag, n.Value = "!!bool", strconv.FormatBool(v)
	case string:
		n.Tag, n.Value = "!!str", v
	case json.Number:
		n.Tag, n.Value = "!!float", v.String()
		b.origin[n] = engine.ExactNumber(v)
	case float64:
		n.Tag, n.Value = "!!float", strconv.FormatFloat(v, 'g', -1, 64)
		if v == math.Trunc(v) && math.Abs(v) <= 1<<53 {
			n.Value = strconv.FormatFloat(v, 'f', 0, 64)
		}
		if math.IsNaN(v) || math.IsInf(v, 0) {
			delete(b.origin, n) // no JSON: judged, and refused
		}
	case map[string]any:
		n.Kind, n.Tag = yaml.MappingNode, "!!map"
		for _, key := range slices.Sorted(maps.Keys(v)) {
			n.Content = append(n.Content, &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: key}, b.node(v[key], depth+1))
		}
	case []any:
		n.Kind, n.Tag = yaml.SequenceNode, "!!seq"
		for _, item := range v {
			n.Content = append(n.Content, b.node(item, depth+1))
		}
	default:
		b.other(n, v)
	}
	return n
}

// other is a Go number that code, not JSON, put there; anything else is no JSON value.
func (b nodeBuilder) other(n *yaml.Node, v any) {
	switch r := reflect.ValueOf(v); {
	case r.CanInt(), r.CanUint():
		n.Tag, n.Value = "!!int", fmt.Sprint(v)
	case r.CanFloat():
		n.Tag, n.Value = "!!float", strconv.FormatFloat(r.Float(), 'g', -1, 64)
	default:
		delete(b.origin, n) // no JSON: judged, and refused
		n.Tag = fmt.Sprintf("!%T", v)
	}
}
