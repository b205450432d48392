package manifest

import (
	"encoding/json"
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"github.com/scanflow-k8s/scanflow/engine/mistake"
)

func node(t *testing.T, text string) *yaml.Node {
	t.Helper()
	var n yaml.Node
	require.NoError(t, yaml.Unmarshal([]byte(text), &n))
	return &n
}

func TestDecodeReadsAConfiguration(t *testing.T) {
	var got httpConfig
	mistakes := Decode("f.yaml", node(t, `
url: &u http://models.example.com/
statuses: [200, 0x10, 1_000, 3.0]
scale: 1e3
insecure: TRUE
body: {a: [1, null, 2026-01-02], b: *u}
basicAuth: {username: scanflow, password: {file: /token}}
`), "spec.sensors[0].http", &got)
	require.Empty(t, mistakes)
	want := httpConfig{
		URL: "http://models.example.com/", Method: "GET", Statuses: []int{200, 16, 1000, 3}, Scale: 1000, Insecure: true,
		Body:      map[string]any{"a": []any{1.0, nil, "2026-01-02"}, "b": "http://models.example.com/"},
		BasicAuth: &basicAuth{Username: "scanflow", Password: Secret{File: "/token"}},
		unread:    1,
	}
	require.Empty(t, cmp.Diff(want, got, cmp.AllowUnexported(httpConfig{})))
}

// The place of a mistake is that of the key, under the path that the caller gave.
func TestDecodePlacesMistakes(t *testing.T) {
	mistakes := Decode("f.yaml", node(t, "url: http://models\nstatuses:\n  - 200\n  - x\n"), "spec.sensors[3].http", &httpConfig{})
	require.Equal(t, mistake.Mistakes{{
		File: "f.yaml", Line: 4, Column: 5, Path: "spec.sensors[3].http.statuses[1]", Message: `must be a whole number, not "x"`,
	}}, mistakes)
}

// A type that the decoder can't fill, or no node at all, is a mistake and no panic.
func TestDecodeTakesAnything(t *testing.T) {
	type recursive struct {
		Next *recursive `json:"next" doc:"the next"`
	}
	for name, into := range map[string]any{
		"nothing":     nil,
		"value":       httpConfig{},
		"nil pointer": (*httpConfig)(nil),
		"channel": &struct {
			C chan int `json:"c"`
		}{},
		"number keys": &struct {
			C map[int]int `json:"c"`
		}{},
		"array": &struct {
			C [2]int `json:"c"`
		}{},
	} {
		require.NotEmpty(t, Decode("f.yaml", node(t, "c: [1, 2]"), "", into), name)
	}
	for name, n := range map[string]*yaml.Node{"no node": nil, "zero": {}, "empty document": {Kind: yaml.DocumentNode}, "alias to nothing": {Kind: yaml.AliasNode}} {
		require.NotEmpty(t, Decode("f.yaml", n, "", &httpConfig{}), name)
	}
	loop := &yaml.Node{Kind: yaml.MappingNode}
	loop.Content = []*yaml.Node{{Kind: yaml.ScalarNode, Value: "next"}, {Kind: yaml.AliasNode, Alias: loop}}
	mistakes := Decode("f.yaml", loop, "", &recursive{})
	require.Len(t, mistakes, 1)
	require.Equal(t, "is nested more than 50 deep", mistakes[0].Message)
}

type stumbling struct {
	A *string `json:"a" required:"true" doc:"a"`
	B string  `json:"b" doc:"b"`
}

func (s *stumbling) Check() mistake.Mistakes {
	return mistake.Mistakes{{Path: "b", Message: "differs from " + *s.A}}
}

// A Checker that counts on its required fields is not the reader's fault where one
// of them could not be read.
func TestCheckerOfAnUnreadConfiguration(t *testing.T) {
	mistakes := Decode("f.yaml", node(t, "b: x"), "", &stumbling{})
	require.Len(t, mistakes, 1)
	require.Equal(t, "a", mistakes[0].Path)
	mistakes = Decode("f.yaml", node(t, "{a: y, b: x}"), "", &stumbling{})
	require.Len(t, mistakes, 1)
	require.Equal(t, "f.yaml:1:8: b: differs from y", mistakes[0].Error())
}

func TestDecodeMap(t *testing.T) {
	for _, c := range []struct {
		name string
		with map[string]any
		want []string
	}{
		{"whole", map[string]any{"replicas": 3.0}, nil},
		{"from JSON", map[string]any{"replicas": json.Number("3"), "strategy": "now"}, nil},
		{"exponent", map[string]any{"replicas": json.Number("3e0")}, nil},
		{"from Go", map[string]any{"replicas": int64(3)}, nil},
		{"fraction", map[string]any{"replicas": 2.5}, []string{"with.replicas: must be a whole number, not 2.5"}},
		{"JSON fraction", map[string]any{"replicas": json.Number("2.5")}, []string{"with.replicas: must be a whole number, not 2.5"}},
		{"text", map[string]any{"replicas": "3"}, []string{`with.replicas: must be a whole number, not "3"`}},
		{"null", map[string]any{"replicas": nil}, []string{"with.replicas: has no value; set it or leave it out"}},
		{"none", nil, []string{"with.replicas: is missing; set it: how many to run"}},
		{"not a number", map[string]any{"replicas": math.NaN()}, []string{`with.replicas: "NaN" is not a number that can be used here; write a finite number`}},
		{"too large", map[string]any{"replicas": 1e300}, []string{"with.replicas: is too large a number"}},
		{"all at once", map[string]any{"replcas": 3.0, "strategy": "soon"}, []string{
			"with.replcas: unknown field; did you mean replicas? The fields are replicas, strategy",
			`with.strategy: "soon" is not known here; write one of now, slowly`,
			"with.replicas: is missing; set it: how many to run",
		}},
		{"no JSON", map[string]any{"replicas": []string{"3"}}, []string{`with.replicas: must be a whole number, not a value with the tag "![]string"`}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var got scaleWith
			require.Equal(t, c.want, DecodeMap(c.with, &got))
			if c.want == nil {
				require.Equal(t, 3, got.Replicas)
			}
		})
	}
}

// A body goes out as the strategy made it, whatever its numbers.
func TestDecodeMapHandsAnyJSONOn(t *testing.T) {
	body := map[string]any{"at_ns": json.Number("1763906400000000001"), "list": []any{nil, true, 1.5}}
	var got webhookWith
	require.Empty(t, DecodeMap(map[string]any{"url": "http://127.0.0.1/", "body": body}, &got))
	require.Empty(t, cmp.Diff(any(body), got.Body))

	body["self"] = body
	require.NotEmpty(t, DecodeMap(map[string]any{"url": "http://127.0.0.1/", "body": body}, &got), "a loop has no end")
	require.Equal(t, []string{"with.url: has a URL with a user in it; " + userinfoFix},
		DecodeMap(map[string]any{"url": "http://scanflow:hunter2@127.0.0.1/"}, &got))
	require.Equal(t, []string{`with.body.f: must be a JSON value, not a value with the tag "!func()"`},
		DecodeMap(map[string]any{"url": "http://127.0.0.1/", "body": map[string]any{"f": func() {}}}, &got))
}

func TestUserPartsAreFoundAndNotShown(t *testing.T) {
	for text, found := range map[string]bool{
		"http://u:p@host/":            true,
		"https://token@host":          true,
		"postgres://u:p@host/db":      true,
		"see http://u:p@host for it":  true,
		"http://u:p/w@host":           true,
		"http://u:p w@host":           true,
		" http://u:p%zz@host":         true,
		"http://host/@user":           false,
		"http://host/?to=a@b":         false,
		"me@example.com":              false,
		`up{url="http://x"} @ end()`:  false,
		`up{url=~"http://.+"} @ 1609`: false,
	} {
		require.Equal(t, found, hasUserinfo(text), text)
		if found {
			require.NotContains(t, quote(text), "p@")
			require.NotContains(t, quote(text), "token")
			require.NotContains(t, quote(text), "w@")
		}
	}
}

func TestSecretRead(t *testing.T) {
	t.Chdir(t.TempDir())
	t.Setenv("MANIFEST_TOKEN", "hunter2")
	write(t, "token", " hunter2\n")
	write(t, "blank", "\n")
	for _, c := range []struct {
		secret Secret
		err    string
	}{
		{Secret{Env: "MANIFEST_TOKEN"}, ""},
		{Secret{File: "token"}, ""},
		{Secret{Env: "MANIFEST_NONE"}, "environment variable MANIFEST_NONE is not set"},
		{Secret{File: "none"}, "read secret: open none: no such file or directory"},
		{Secret{File: "blank"}, "read secret: blank is empty"},
		{Secret{SecretKeyRef: &SecretKeyRef{Name: "n", Key: "k"}}, "secretKeyRef n/k: there is no Kubernetes here to read a Secret from; use env or file, or run with --kubernetes"},
		{Secret{}, "no source given for a secret"},
	} {
		got, err := c.secret.Read(t.Context(), "ns", nil)
		if c.err != "" {
			require.EqualError(t, err, c.err)
			continue
		}
		require.NoError(t, err)
		require.Equal(t, "hunter2", got)
	}
}

type picky struct {
	Items []map[string]any `json:"items" doc:"items"`
}

func (picky) Check() mistake.Mistakes {
	return mistake.Mistakes{
		{Path: "items[1].b", Message: "is odd", Fix: "make it even"}, {Path: "items[7].x", Message: "is not there"},
		{Path: "elsewhere", Message: "is no field"}, {Message: "item s: is no path"},
	}
}

// A Checker's mistake about a value within a field has the position of that value, or of its
// nearest parent that exists.
func TestCheckerPlacesWithin(t *testing.T) {
	mistakes := Decode("f.yaml", node(t, "items:\n- a: 1\n- a: 2\n  b: 3\n"), "", &picky{})
	require.Equal(t, `f.yaml:1:1: items[7].x: is not there
f.yaml:1:1: elsewhere: is no field
f.yaml:1:1: item s: is no path
f.yaml:4:3: items[1].b: is odd; make it even`, mistakes.Error())
}

func BenchmarkDecodeMap(b *testing.B) {
	with := map[string]any{"replicas": json.Number("3"), "strategy": "now"}
	b.ReportAllocs()
	for b.Loop() {
		var got scaleWith
		if wrong := DecodeMap(with, &got); wrong != nil {
			b.Fatal(wrong)
		}
	}
}
