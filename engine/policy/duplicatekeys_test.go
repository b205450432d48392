package policy

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Of a key that is twice in an object, a parser keeps one value and drops the other, so it is
// refused by file and line.
func TestAKeyOfDataIsThereOnce(t *testing.T) {
	for name, c := range map[string]struct {
		file, text string
		line       int // of the second; 0 is none
	}{
		"JSON":                      {"data.json", "{\n\"max\": 1,\n\"max\": 1000}", 3},
		"JSON, below":               {"data.json", "{\"a\": [{}, {\"b\": {\"c\": 1,\n\"d\": 2, \"c\": 1}}]}", 2},
		"JSON, escaped":             {"data.json", `{"a": 1, "\u0061": 2}`, 1},
		"JSON, of objects":          {"data.json", `{"a": {"b": 1}, "a": {"c": 1}}`, 1},
		"JSON, far from its colon":  {"data.json", `{"a": 1, "a"` + strings.Repeat("\n", 100) + `: 2}`, 1},
		"JSON, empty":               {"data.json", `{"": 1, "": 2}`, 1},
		"JSON, three":               {"data.json", "{\"a\": 1,\n\"b\": 1,\n\"b\": 2, \"c\": 1}", 3},
		"JSON, by its end":          {"data.json", `{"a": 1, "a\\": 2, "a\\": 3}`, 1},
		"JSON, in other objects":    {"data.json", `{"a": {"a": {"a": 1}}, "b": [{"a": 1}, {"a": 2}]}`, 0},
		"JSON, in a text":           {"data.json", `{"a": "\"a\": 1, \"a\": 2", "b": ["a", "a"], "c": "a"}`, 0},
		"JSON, by case":             {"data.json", `{"a": 1, "A": 2}`, 0},
		"YAML":                      {"data.yaml", "max: 1\nmin: 0\nmax: 1000\n", 3},
		"YAML, below":               {"data.yaml", "a:\n- b: 1\n  c: 2\n  b: 1\n", 4},
		"YAML, quoted":              {"data.yaml", "a: 1\n'a': 2\n", 2},
		"YAML, flow":                {"data.yaml", "x: {a: 1, b: 2,\n a: 3}\n", 2},
		"YAML, by an alias":         {"data.yaml", "x: &k a\ny:\n  a: 1\n  *k : 2\n", 4},
		"YAML, as text and number":  {"data.yaml", "1: a\n\"1\": b\n", 2},
		"YAML, within an anchor":    {"data.yaml", "a: &x\n  b: 1\n  b: 2\nc: *x\n", 3},
		"YAML, over what is merged": {"data.yaml", "a: &x {b: 1, c: 2}\nd:\n  <<: *x\n  b: 3\n", 0},
		"YAML, in other objects":    {"data.yaml", "a: {b: 1}\nb: {b: 2}\nc: &x {b: 3}\nd: *x\n", 0},
		"YAML that is JSON":         {"data.yaml", "{\"a\": 1,\n\"a\": 2}", 2},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Compile(t.Context(), sourceOf(t, map[string]string{"x.rego": proposes("x", "true"), "x/" + c.file: c.text}), Options{})
			if c.line == 0 {
				require.NoError(t, err)
				return
			}
			require.ErrorContains(t, err, fmt.Sprintf("x/%s:%d", c.file, c.line))
			require.ErrorContains(t, err, "is in one object twice; keep one")
		})
	}
}
