package policy

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/policy/source"
)

// packed is files as a bundle.
func packed(f *testing.F, files map[string]string) []byte {
	var b bytes.Buffer
	zw := gzip.NewWriter(&b)
	tw := tar.NewWriter(zw)
	for name, text := range files {
		require.NoError(f, tw.WriteHeader(&tar.Header{Name: "/" + name, Size: int64(len(text)), Mode: 0o644, Typeflag: tar.TypeReg}))
		_, err := tw.Write([]byte(text))
		require.NoError(f, err)
	}
	require.NoError(f, tw.Close())
	require.NoError(f, zw.Close())
	return b.Bytes()
}

// tooLong bounds the compilation of an unpacked archive in this fuzz test. It is no limit of
// the product, which has its own.
const tooLong = 5 * time.Second

// compilesOrSays has whatever was read go on into the build. It ends with policies that
// are known by their content, or with mistakes; it does not panic.
func compilesOrSays(t *testing.T, src source.Source) {
	t.Helper()
	if size := sizeOf(src); size > 64<<10 {
		return // the time that it takes is another test's
	}
	ctx, cancel := context.WithTimeout(t.Context(), tooLong)
	defer cancel()
	rev, err := Compile(ctx, src, Options{})
	if err != nil {
		require.NotEmpty(t, err.Error())
		require.Nil(t, rev)
		return
	}
	require.Equal(t, src.ID(), rev.ID())
}

func sizeOf(src source.Source) (n int) {
	for _, file := range src.Files {
		n += len(file.Content)
	}
	return n
}

// Any bundle is read within the limits or rejected, and the files that were read can be built.
func FuzzUnpack(f *testing.F) {
	f.Add(packed(f, basic()))
	f.Add(packed(f, with(basic(), ".signatures.json", "{}", "notes.txt", "signed too")))
	for _, name := range slices.Sorted(maps.Keys(hostileFiles)) {
		f.Add(packed(f, with(basic(), hostileFiles[name].path, hostileFiles[name].text)))
	}
	f.Add([]byte("not a bundle"))
	f.Fuzz(func(t *testing.T, packed []byte) {
		src, err := source.Unpack("x", packed)
		if err != nil {
			return
		}
		if _, mistakes := src.Open(); len(mistakes) > 0 {
			return
		}
		require.Len(t, src.ID(), 12)
		for _, file := range src.Files {
			require.True(t, source.IsPolicyFile(file.Path))
			require.NotContains(t, file.Path, "../")
		}
		compilesOrSays(t, src)
	})
}

// hostileFiles are files that a folder of policies may hold, each beside sound ones.
var hostileFiles = map[string]struct{ path, text string }{
	"a manifest that is none":         {".manifest", `[]`},
	"a manifest of null":              {".manifest", `null`},
	"roots that are none":             {".manifest", `{"roots": [1, null, "/", "..", "a/../b"], "rego_version": 1}`},
	"no roots":                        {".manifest", `{"roots": []}`},
	"a version that there is not":     {".manifest", `{"roots": ["scanflow"], "rego_version": 99999999999}`},
	"a version by pattern":            {".manifest", `{"roots": ["scanflow"], "file_rego_versions": {"[": 0, "**": 7}}`},
	"a deep manifest":                 {".manifest", `{"metadata": ` + strings.Repeat(`{"a":`, 5000) + `1` + strings.Repeat("}", 5000) + `}`},
	"a resolver of nothing":           {".manifest", `{"roots": ["scanflow"], "wasm": [{"entrypoint": "a", "module": "b"}]}`},
	"data that is a list":             {"data.json", `[1]`},
	"data over a package":             {"scanflow/strategies/data.json", `{"serving": {"autoscale": {"propose": []}}}`},
	"data in the way of a strategy":   {"data.json", `{"scanflow": {"strategies": 1}}`},
	"data twice":                      {"data.yaml", "scanflow: {lib: {a: 1}}\n"},
	"deep data":                       {"lib/data.json", `{"a": ` + strings.Repeat("[", 5000) + strings.Repeat("]", 5000) + `}`},
	"data that is cut":                {"lib/data.json", `{"a": `},
	"data of invalid UTF-8":           {"lib/data.json", "{\"a\": \"\xff\\ud800\"}"},
	"data with a key twice":           {"lib/data.json", `{"a": 1, "a": {"b": 2}}`},
	"aliases":                         {"lib/data.yaml", "a: &a [1]\nb: &b [*a, *a]\nc: [*b, *b]\nd: &d [*d]\n"},
	"a key that is no text":           {"lib/data.yaml", "1: {null: 2, [3]: 4}\n"},
	"a package of nothing":            {"lib/a.rego", "package\n"},
	"a package in the way":            {"lib/a.rego", "package scanflow.strategies.serving.autoscale.propose\n\na := 1\n"},
	"a rule that is itself":           {"strategies/x.rego", "package scanflow.strategies.x\n\npropose contains p if some p in propose\n"},
	"a strategy that is a function":   {"strategies/x.rego", "package scanflow.strategies.x\n\npropose(a) := a\n"},
	"a strategy that is a default":    {"strategies/x.rego", "package scanflow.strategies.x\n\ndefault propose := []\n"},
	"metadata that is none":           {"strategies/x.rego", "# METADATA\n# custom: [\n# schemas:\n#   - input: schema.x\npackage scanflow.strategies.x\n\npropose contains {} if true\n"},
	"deep brackets":                   {"strategies/x.rego", "package scanflow.strategies.x\n\na := " + strings.Repeat("[", 2000) + strings.Repeat("]", 2000) + "\n"},
	"a rule of control characters":    {"strategies/x.rego", "package scanflow.strategies.x\n\na[\"\\u0000\\u001b[2J\"] := `\x00`\n"},
	"a test of nothing":               {"strategies/x_test.rego", "package scanflow.strategies.x_test\n\ntest_a if data.none.at.all\n"},
	"an import of what is not":        {"strategies/x.rego", "package scanflow.strategies.x\n\nimport data.scanflow.strategies.x\nimport future.keywords.none\nimport rego.v0\n"},
	"a template string":               {"strategies/x.rego", "package scanflow.strategies.x\n\na := $\"{`{`}\"\n"},
	"a with on a function of its own": {"strategies/x.rego", "package scanflow.strategies.x\n\nf(x) := x\n\na := f(1) with f as f with data.scanflow as input\n"},
}

// Any file beside valid policies, at any path, is read into the build or rejected.
func FuzzFiles(f *testing.F) {
	for _, file := range hostileFiles {
		f.Add(file.path, file.text)
	}
	for _, path := range []string{"", ".", "/", "../x.rego", "a/../../x.rego", ".hidden/x.rego", "\x00.rego", "x.rego/", "..data/x.rego", ".manifest/.manifest", "a\\b.rego", strings.Repeat("a/", 200) + "x.rego"} {
		f.Add(path, "package scanflow.lib.more\n")
	}
	f.Fuzz(func(t *testing.T, path, text string) {
		if !source.IsPolicyFile(path) {
			return // nobody reads it
		}
		var files []source.File
		for name, text := range with(basic(), path, text) {
			files = append(files, source.File{Path: name, Content: []byte(text)})
		}
		slices.SortFunc(files, func(a, b source.File) int { return strings.Compare(a.Path, b.Path) })
		src := source.Source{Origin: "x", Files: files}
		if _, mistakes := src.Open(); len(mistakes) > 0 {
			return
		}
		compilesOrSays(t, src)
	})
}

// The evidence in because is read as the strategy wrote it, or rejected.
func FuzzEvidence(f *testing.F) {
	for _, s := range []string{"load", "load:empty", "load:", ":empty", "", "a:b:c"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		e, err := parseEvidence(s)
		if err != nil {
			return
		}
		require.NotEmpty(t, e.Signal)
		require.Contains(t, engine.States, e.State)
		if e.State != engine.OK {
			require.Equal(t, s, e.String())
		}
	})
}
