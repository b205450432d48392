package sensors

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/scanflow-k8s/scanflow/engine"
)

// A name put into a pointer is one name again, whatever it is.
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

// A text without placeholders is left as it is; one with a target's fields holds them.
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
		if !parsed.particular() && got != text {
			t.Fatalf("%q became %q", text, got)
		}
		if strings.Contains(got, "{") {
			t.Fatalf("%q left a place open: %q", text, got)
		}
		_ = checkURL("url", text)
	})
}

// No page makes the parser panic, or gives a sample without what was asked for.
func FuzzPage(f *testing.F) {
	for _, seed := range []string{
		"", "a 1\n", "a{x=\"1\"} NaN 12\n", "# TYPE a histogram\na_bucket{le=\"1\"} 1\na_bucket{le=\"+Inf\"} 2\na_sum 3\na_count 2\n",
		"# TYPE a summary\na{quantile=\"0.5\"} 1\na_sum 1\na_count 1\n", "a{x=\"\\", "# TYPE a counter\na -1\n", "\x00", "a 1e999\n",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, page string) {
		now := time.Unix(1_700_000_000, 0)
		for _, name := range []string{"a", "a_bucket", "a_sum", "a_count"} {
			points, err := parsePage("text/plain", []byte(page), name, nil, now)
			if err != nil && len(points) > 0 {
				t.Fatalf("samples beside an error: %v", err)
			}
			if name == "a_bucket" && len(points) > 0 {
				if v, ok := quantile(0.9, points); ok && math.IsInf(v, 1) {
					t.Fatalf("the quantile is above all buckets")
				}
			}
		}
	})
}
