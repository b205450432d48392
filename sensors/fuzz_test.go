package sensors

import (
	"strings"
	"testing"

	"github.com/scanflow-k8s/scanflow/engine"
)

// Any name that is inserted into a pointer is parsed as one name.
func FuzzPointer(f *testing.F) {
	for _, seed := range []string{"", "a", "a/b", "~", "~0", "~1", "~01", "é"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, name string) {
		escaped, err := inPointer(name)
		if err != nil {
			t.Fatal(err)
		}
		p, err := parsePointer("/" + escaped)
		if err != nil || len(p) != 1 || p[0] != name {
			t.Fatalf("%q came back as %q, %v", name, p, err)
		}
		if p, err := parsePointer(name); err == nil && name != "" && len(p) != strings.Count(name, "/") {
			t.Fatalf("%q has names %q", name, p)
		}
	})
}

// A text without placeholders stays unchanged; placeholders are replaced by a target's fields.
func FuzzTemplate(f *testing.F) {
	for _, seed := range []string{"", "{name}", "http://{name}.{namespace}/{label:a/b}", "{", "}", "{}", "{label:}", "{{name}}"} {
		f.Add(seed)
	}
	target := &engine.Target{Namespace: "ns", Name: "n"}
	f.Fuzz(func(t *testing.T, text string) {
		parsed, err := parseTemplate(text)
		if err != nil {
			return
		}
		target.Labels = parsed.exampleLabels()
		got, err := parsed.fill(target, inURL)
		if err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		if !parsed.perTarget() && got != text {
			t.Fatalf("%q became %q", text, got)
		}
		if strings.Contains(got, "{") {
			t.Fatalf("%q left a place open: %q", text, got)
		}
		_ = checkURL("url", text)
	})
}
