package manifest

import (
	"encoding"
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/scanflow-k8s/scanflow/engine/jsonvalue"
)

func (d *decoder) text(n *yaml.Node, p *fieldPath, into encoding.TextUnmarshaler) {
	if n.Kind != yaml.ScalarNode {
		d.reject(p, "must be one value, not "+describe(n), "")
		return
	}
	if err := into.UnmarshalText([]byte(n.Value)); err != nil {
		d.rejectError(p, err)
	}
}

func (d *decoder) scalar(n *yaml.Node, p *fieldPath, into reflect.Value) {
	tag := ""
	if n.Kind == yaml.ScalarNode {
		tag = n.ShortTag()
	}
	switch into.Kind() {
	case reflect.String:
		switch tag {
		case "!!str", "!!timestamp":
			into.SetString(n.Value)
		case "!!int", "!!float", "!!bool":
			d.reject(p, "must be text, not "+describe(n), "put it in quotes")
		default:
			d.reject(p, "must be text, not "+describe(n), "")
		}
	case reflect.Bool:
		if tag != "!!bool" || !isBool(n.Value) {
			d.reject(p, "must be true or false, not "+shown(n), "")
			return
		}
		into.SetBool(strings.EqualFold(n.Value, "true"))
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
		reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		d.whole(n, p, into, tag)
	case reflect.Float32, reflect.Float64:
		if tag != "!!int" && tag != "!!float" {
			d.reject(p, "must be a number, not "+shown(n), "")
			return
		}
		if f, ok := d.number(n, p); ok {
			into.SetFloat(f)
		}
	default:
		d.reject(p, fmt.Sprintf("can't be read into a %s", into.Type()), "")
	}
}

func (d *decoder) whole(n *yaml.Node, p *fieldPath, into reflect.Value, tag string) {
	if tag != "!!int" && tag != "!!float" {
		d.reject(p, "must be a whole number, not "+shown(n), "")
		return
	}
	f, ok := d.number(n, p)
	if !ok {
		return
	}
	if f != math.Trunc(f) {
		d.reject(p, "must be a whole number, not "+strconv.FormatFloat(f, 'g', -1, 64), "")
		return
	}
	// A float does not have every whole number beyond 2^53, so the text is parsed.
	i, err := strconv.ParseInt(strings.ReplaceAll(n.Value, "_", ""), 0, 64)
	if err != nil {
		if math.Abs(f) > 1<<53 {
			d.reject(p, "is too large a number", "")
			return
		}
		i = int64(f)
	}
	switch {
	case into.CanInt() && !into.OverflowInt(i):
		into.SetInt(i)
	case into.CanUint() && i >= 0 && !into.OverflowUint(uint64(i)):
		into.SetUint(uint64(i))
	case i < 0:
		d.reject(p, fmt.Sprintf("must not be below its least, but is %d", i), "")
	default:
		d.reject(p, "is too large a number", "")
	}
}

// number parses a number by the common rules of YAML 1.2 and JSON. It rejects 010, which YAML
// 1.1 reads as eight and YAML 1.2 as ten.
func (d *decoder) number(n *yaml.Node, p *fieldPath) (float64, bool) {
	s := strings.ReplaceAll(n.Value, "_", "")
	digits := strings.TrimLeft(s, "+-")
	if len(digits) > 1 && digits[0] == '0' && strings.Trim(digits, "0123456789") == "" {
		d.reject(p, quote(n.Value)+" begins with a zero", "leave the zero out, or write 0o for an octal number")
		return 0, false
	}
	if i, err := strconv.ParseInt(s, 0, 64); err == nil {
		return float64(i), true
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil || math.IsInf(f, 0) || math.IsNaN(f) {
		d.reject(p, quote(n.Value)+" is not a number that can be used here", "write a finite number")
		return 0, false
	}
	return f, true
}

func isBool(s string) bool { return strings.EqualFold(s, "true") || strings.EqualFold(s, "false") }

// shown describes a value of the wrong type for a number or a boolean. It prints the value,
// since a secret is unlikely there.
func shown(n *yaml.Node) string {
	if n.Kind != yaml.ScalarNode {
		return describe(n)
	}
	switch n.ShortTag() {
	case "!!str":
		return quote(n.Value)
	case "!!int", "!!float", "!!bool":
		return redact(n.Value)
	}
	return describe(n)
}

// json decodes any JSON value. Numbers become float64.
func (d *decoder) json(n *yaml.Node, p *fieldPath) any {
	if _, computed := d.partial.computed[n]; computed {
		d.mark(p)
		return d.partial.fill
	}
	if d.partial.open[n] {
		d.partial.loose[n] = true
		d.mark(p)
	}
	made, ok := d.origin[n]
	switch n.Kind {
	case yaml.MappingNode:
		out := make(map[string]any, len(n.Content)/2)
		d.pairs(n, p, func(key string, _, value *yaml.Node) {
			out[key] = d.jsonWithin(value, p.field(key))
		})
		if !ok {
			return out
		}
	case yaml.SequenceNode:
		out := make([]any, len(n.Content))
		for i, item := range n.Content {
			out[i] = d.jsonWithin(item, p.item(i))
		}
		if !ok {
			return out
		}
	case yaml.ScalarNode:
		if !ok {
			return d.jsonScalar(n, p)
		}
	}
	return made
}

func (d *decoder) jsonWithin(n *yaml.Node, p *fieldPath) any {
	resolved, ok := d.enter(n, p)
	defer d.leave(n)
	if !ok {
		return nil
	}
	return d.json(resolved, p)
}

func (d *decoder) jsonScalar(n *yaml.Node, p *fieldPath) any {
	switch tag := n.ShortTag(); tag {
	case "!!str", "!!timestamp":
		return n.Value
	case "!!bool":
		if !isBool(n.Value) { // as in !!bool yes
			d.reject(p, "must be true or false, not "+shown(n), "")
		}
		return strings.EqualFold(n.Value, "true")
	case "!!null":
		return nil
	case "!!int", "!!float":
		f, ok := d.number(n, p)
		if !ok {
			return nil
		}
		_, is := jsonvalue.Exact(json.Number(strings.ReplaceAll(n.Value, "_", ""))).(float64)
		if tag == "!!int" && math.Abs(f) >= 1<<53 || tag == "!!float" && !is { // YAML tags a whole number beyond 64 bits as a float
			d.reject(p, "is too large to be held exactly", "put it in quotes")
			return nil
		}
		return f
	}
	d.reject(p, "must be a JSON value, not "+describe(n), "")
	return nil
}
