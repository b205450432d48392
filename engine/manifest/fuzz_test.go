package manifest

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"testing"
)

// Whatever the bytes, reading ends with agents that the engine can run, or with
// mistakes that say something; and reading again says the same.
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
		var mistakes Mistakes
		if err != nil && !errors.As(err, &mistakes) {
			t.Fatalf("not Mistakes: %v", err)
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
