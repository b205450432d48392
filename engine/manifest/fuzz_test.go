package manifest

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/scanflow-k8s/scanflow/engine/mistake"
)

// Any bytes are read as agents that the engine can run, or as mistakes with a text. Reading them
// again has the same result.
func FuzzRead(f *testing.F) {
	for _, pattern := range []string{"testdata/bad/*.yaml", "testdata/good/*.y*ml"} {
		files, err := filepath.Glob(pattern)
		if err != nil || len(files) == 0 {
			f.Fatalf("no seeds in %s: %v", pattern, err)
		}
		for _, file := range files {
			data, err := os.ReadFile(file)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(data)
		}
	}
	kinds := sampleKinds()
	f.Fuzz(func(t *testing.T, data []byte) {
		agents, err := ReadBytes("fuzz.yaml", data, kinds)
		var mistakes mistake.Mistakes
		if err != nil && !errors.As(err, &mistakes) {
			t.Fatalf("not mistake.Mistakes: %v", err)
		}
		if err == nil && len(agents) == 0 {
			t.Fatal("neither an agent nor a mistake")
		}
		for _, m := range mistakes {
			if m.Message == "" || m.File == "" {
				t.Fatalf("an empty mistake: %#v", m)
			}
		}
		for _, a := range agents {
			spec, err := a.EngineSpec()
			if err != nil {
				t.Fatalf("sound, and yet not to be run: %v", err)
			}
			if _, err := json.Marshal(DocumentSchema(a)); err != nil {
				t.Fatal(err)
			}
			if len(spec.Triggers) == 0 || spec.Name == "" || spec.Namespace == "" {
				t.Fatalf("not whole: %#v", spec)
			}
		}
		again, errAgain := ReadBytes("fuzz.yaml", data, kinds)
		if len(again) != len(agents) || (err == nil) != (errAgain == nil) || err != nil && err.Error() != errAgain.Error() {
			t.Fatalf("read twice, once:\n%v\nthen:\n%v", err, errAgain)
		}
	})
}

// Any object of a cluster is read as an agent that the engine can run, or as mistakes with a text.
// Its bookkeeping metadata and its status make no difference.
func FuzzReadObject(f *testing.F) {
	spec := `"targets":{"static":[{"name":"web"}]},"triggers":[{"name":"tick","every":"10s"}]`
	for _, object := range []string{
		`{"apiVersion":"scanflow.dev/v1alpha1","kind":"Agent","metadata":{"name":"a","namespace":"ns","uid":"u","managedFields":[{}]},"spec":{` + spec + `},"status":{"x":1}}`,
		`{"apiVersion":"scanflow.dev/v1alpha1","kind":"Agent","metadata":{"name":"a","namespace":"ns"},"spec":{` + spec + `,"params":{"a":1e100000,"b":9223372036854775808,"c":-0.0}}}`,
		`{"apiVersion":"scanflow.dev/v1alpha1","kind":"Agent","metadata":{"name":"a","namespace":"ns"},"spec":{` + spec + `,"params":{"a":` + strings.Repeat("[", 9000) + strings.Repeat("]", 9000) + `}}}`,
		`{"apiVersion":"scanflow.dev/v1alpha1","kind":"Agent","metadata":[],"spec":null}`, `{"metadata":{"name":1,"labels":{"a":null}},"spec":{"triggers":[null]}}`, `{"spec":{"spec":{"spec":{}}}}`, `null`, `[]`, `{}{}`, ``,
		"{\"apiVersion\":\"\xff\",\"kind\":\"\\u0000\\u001b[2J\",\"spec\":{\"<<\":{\"a\":1},\"~\":\"!!binary x\"}}", `{"apiVersion":"scanflow.dev/v1alpha1","kind":"Agent","metadata":{"name":"a"},"spec":{` + spec + `,` + spec + `}}`,
		`{"apiVersion":"scanflow.dev/v1alpha1","kind":"Agent","metadata":{"name":"a","namespace":"ns"},"spec":{` + spec + `,"sensors":[{"name":"s","http":{"url":"http://user:word@host/"}}]}}`,
	} {
		f.Add([]byte(object))
	}
	kinds := sampleKinds()
	f.Fuzz(func(t *testing.T, object []byte) {
		agent, mistakes := ReadObject("ns/a", object, kinds)
		if (agent == nil) != (len(mistakes) > 0) {
			t.Fatalf("%v and %v", agent, mistakes)
		}
		for _, m := range mistakes {
			if m.Message == "" || m.Line != 0 {
				t.Fatalf("an empty mistake, or one with a line: %#v", m)
			}
			if text := m.Error(); strings.ContainsAny(text, "\x00\x1b") || len(text) > 5000 {
				t.Fatalf("no line for a terminal: %q", text)
			}
		}
		if agent == nil {
			return
		}
		spec, err := agent.EngineSpec()
		if err != nil || len(spec.Triggers) == 0 || spec.Name == "" {
			t.Fatalf("sound, and yet not to be run: %v", err)
		}
		var whole map[string]any
		if err := json.Unmarshal(object, &whole); err != nil {
			return // a number that only the manifest's own reader takes
		}
		whole["status"] = map[string]any{"observedGeneration": 1}
		again, err := json.Marshal(whole)
		if err != nil {
			t.Fatal(err)
		}
		if _, mistakes := ReadObject("ns/a", again, kinds); len(mistakes) > 0 {
			t.Fatalf("with a status it is another: %v", mistakes)
		}
	})
}

// Any bytes in standard input are read as agents, or as mistakes, each with the input's name.
func FuzzReadMixed(f *testing.F) {
	for _, pattern := range []string{"testdata/bad/k*.yaml", "testdata/bad/other_object.yaml", "testdata/good/*.y*ml", "testdata/mixed/*.yaml", "testdata/mixed/kustomize/*"} {
		files, err := filepath.Glob(pattern)
		if err != nil || len(files) == 0 {
			f.Fatalf("no seeds in %s: %v", pattern, err)
		}
		for _, file := range files {
			data, err := os.ReadFile(file)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(data)
		}
	}
	kinds := sampleKinds()
	f.Fuzz(func(t *testing.T, data []byte) {
		found, err := ReadMixed([]string{Stdin}, bytes.NewReader(data), kinds)
		var mistakes mistake.Mistakes
		if err != nil && !errors.As(err, &mistakes) {
			t.Fatalf("not mistake.Mistakes: %v", err)
		}
		if err == nil && len(found.Agents) == 0 {
			t.Fatal("neither an agent nor a mistake")
		}
		for _, m := range mistakes {
			if m.Message == "" || m.File != stdinName {
				t.Fatalf("an empty mistake: %#v", m)
			}
		}
		if found.Skipped.Total() > 0 && found.Skipped.String() == "" {
			t.Fatal("objects are skipped silently")
		}
		// What Read accepts, ReadMixed accepts.
		if agents, err := ReadBytes(stdinName, data, kinds); err == nil && len(agents) != len(found.Agents) {
			t.Fatalf("%d agents, and %d among others", len(agents), len(found.Agents))
		}
	})
}
