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

	"github.com/scanflow-k8s/scanflow/engine/jsonvalue"
)

// DecodeMap decodes the parameters of a primitive, which are JSON values, by the rules of
// Decode. It returns every mistake as a line, like "with.replicas: must be a whole number,
// not 2.5". A field of type any gets the value in the map, not a copy.
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

// nodeBuilder builds YAML nodes from JSON values, so that one decoder reads both.
type nodeBuilder struct{ origin map[*yaml.Node]any }

func (b nodeBuilder) node(v any, depth int) *yaml.Node {
	n := &yaml.Node{Kind: yaml.ScalarNode}
	b.origin[n] = v
	if depth > maxDepth+1 { // the decoder rejects it before it reaches this node
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
		b.origin[n] = jsonvalue.Exact(v)
	case float64:
		n.Tag, n.Value = "!!float", strconv.FormatFloat(v, 'g', -1, 64)
		if v == math.Trunc(v) && math.Abs(v) <= 1<<53 {
			n.Value = strconv.FormatFloat(v, 'f', 0, 64)
		}
		if math.IsNaN(v) || math.IsInf(v, 0) {
			delete(b.origin, n) // not JSON: the decoder rejects it
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

// other handles Go numbers, which only code can have put there. Anything else is not JSON.
func (b nodeBuilder) other(n *yaml.Node, v any) {
	switch r := reflect.ValueOf(v); {
	case r.CanInt(), r.CanUint():
		n.Tag, n.Value = "!!int", fmt.Sprint(v)
	case r.CanFloat():
		n.Tag, n.Value = "!!float", strconv.FormatFloat(r.Float(), 'g', -1, 64)
	default:
		delete(b.origin, n) // not JSON: the decoder rejects it
		n.Tag = fmt.Sprintf("!%T", v)
	}
}
