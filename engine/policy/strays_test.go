package policy

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/engine/policy/source"
)

// Each of these looks as if it counted, and does not.
func TestFilesThatAreNotReadAreRefused(t *testing.T) {
	const data = "data files are named data.json, data.yaml or data.yml"
	for name, c := range map[string]struct{ file, text, want string }{
		"another JSON file":            {"limits.json", "{}", "limits.json: is not read: " + data + ", and hold what stands at their folder's place in data; name it data.json, put it elsewhere, or list it in .scanflowignore"},
		"another YAML file":            {"lib/limits.yaml", "a: 1", "lib/limits.yaml: is not read: " + data},
		"another of the short name":    {"limits.yml", "a: 1", "name it data.yml"},
		"data in capitals":             {"lib/Data.json", "{}", "lib/Data.json: is not read: " + data},
		"data of capital type":         {"data.YAML", "a: 1", "data.YAML: is not read: " + data},
		"a kept copy of data":          {"data.json.bak", "{}", "data.json.bak: is not read"},
		"data in TOML":                 {"data.toml", "a = 1", "data.toml: is not read"},
		"a policy of capital type":     {"x.REGO", "package x", "x.REGO: is not read: the name of a policy ends with .rego in small letters; rename it"},
		"a policy as text":             {"guards/x.rego.txt", "package x", "guards/x.rego.txt: is not read: the name of a policy ends with .rego; rename it"},
		"a policy that was set aside":  {"x.rego.disabled", "package x", "x.rego.disabled: is not read"},
		"a hidden policy":              {"lib/.x.rego", "package x", "lib/.x.rego: is not read: it is a hidden file; take the dot away"},
		"hidden data":                  {".data.json", "{}", ".data.json: is not read"},
		"data in a hidden folder":      {".site/data.json", "{}", ".site/data.json: is not read: it lies in a hidden folder; move it"},
		"deep in a hidden folder":      {"lib/.site/a/x.rego", "package x", "lib/.site/a/x.rego: is not read: it lies in a hidden folder"},
		"a manifest in capitals":       {".Manifest", "{}", ".Manifest: is not read: it is called .manifest; write the name in small letters"},
		"signatures in capitals":       {".Signatures.json", "{}", "it is called .signatures.json"},
		"a manifest in protobuf":       {".manifest.pb", "x", ".manifest.pb: is not read: a manifest is JSON here"},
		"a policy in WebAssembly":      {"policy.wasm", "x", "policy.wasm: is not read: policies are Rego; build the bundle with --target rego"},
		"a second document":            {"scanflow/data.yaml", "a: 1\n---\nb: 2\n", "scanflow/data.yaml:2:1: a second document, which is not read; write one document, or a data file in another folder"},
		"after an end":                 {"scanflow/data.yml", "a: 1\n...\nb: 2\n", "scanflow/data.yml:2:1: a second document"},
		"on the line of its mark":      {"scanflow/data.yaml", "# x\n---\na: 1\n--- {b: 2}\n", "scanflow/data.yaml:4:1: a second document"},
		"an ignore file with nothing":  {".scanflowignore", "# why\nother.json\n", `.scanflowignore:2:1: "other.json" names nothing that would be refused; delete the line`},
		"an ignored policy":            {".scanflowignore", "lib/load.rego\n", `"lib/load.rego" names nothing that would be refused`},
		"a policy with a blank":        {"x.rego ", "package x", "x.rego : is not read"},
		"a policy with a number":       {"x.rego2", "package x", "x.rego2: is not read"},
		"a policy of a misspelt type":  {"x.rgeo", "package x", "x.rgeo: is not read: the name of a policy ends with .rego"},
		"data as text":                 {"data.txt", "a", "data.txt: is not read"},
		"data with comments":           {"limits.jsonc", "{}", "limits.jsonc: is not read: " + data},
		"data by lines":                {"data.ndjson", "{}", "data.ndjson: is not read"},
		"a manifest by another name":   {".manifest.json", "{}", ".manifest.json: is not read: the files that are about policies are called .manifest, .signatures.json and .scanflowignore; rename it"},
		"a manifest without its dot":   {"manifest", "{}", "manifest: is not read"},
		"signatures without their dot": {"signatures.json", "{}", "signatures.json: is not read: the files that are about policies"},
		"signatures by a short name":   {".signatures", "{}", ".signatures: is not read"},
		"an ignore file of text":       {".scanflowignore.txt", "x", ".scanflowignore.txt: is not read"},
		"a second document after CR":   {"scanflow/data.yaml", "a: 1\r---\rb: 2\r", "scanflow/data.yaml:2:1: a second document"},
		"a key twice":                  {"scanflow/data.yaml", "a: 1\nb:\n  c: 1\n  c: 2\n", `scanflow/data.yaml:4:1: the key "c" is in one object twice; keep one`},
		"a key twice in one line":      {"scanflow/data.yml", "{a: 1, a: 2}", `the key "a" is in one object twice; keep one`},
		"a name twice":                 {"scanflow/data.json", "{\"a\": {\"most\": 1},\n \"b\": [{\"x\": 1, \"y\": {}, \"x\": 2}]}", `scanflow/data.json:2:1: the key "x" is in one object twice; keep one`},
		"a name twice at the top":      {"scanflow/data.json", "{\"a\": {\"most\": 1},\n \"a\": {\"least\": 1}}", `the key "a" is in one object twice; keep one`},
		"a misspelt manifest":          {".manifest", `{"root": ["scanflow"]}`, `.manifest: not a manifest: json: unknown field "root"; write it like`},
		"two manifests":                {".manifest", `{"roots": ["scanflow"]} {"roots": ["x"]}`, ".manifest: not a manifest: it goes on after its end"},
		"no manifest":                  {".manifest", `null`, ".manifest: not a manifest: it is null"},
		"roots twice":                  {".manifest", "{\"roots\": [\"x\"],\n\"roots\": [\"scanflow\"]}", `.manifest:2:1: the key "roots" is in one object twice; keep one`},
		"versions of files":            {".manifest", `{"file_rego_versions": {"/lib/*": 0}}`, `.manifest: file_rego_versions has 0 for "/lib/*", and is not looked at`},
		"a manifest of WebAssembly":    {".manifest", `{"wasm": [{"entrypoint": "a", "module": "/policy.wasm"}]}`, ".manifest: wasm is not looked at"},
		"a bad pattern":                {".scanflowignore", "[x\n", `"[x" is no pattern`},
		"an ignore file in a folder":   {"lib/.scanflowignore", "x\n", "lib/.scanflowignore: is in a sub-folder"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "policies")
			write(t, dir, with(basic(), c.file, c.text))
			require.ErrorContains(t, judged(t, dir, nil), c.want)
			if filepath.Base(filepath.Dir(c.file))[0] != '.' || filepath.Dir(c.file) == "." {
				require.Error(t, judged(t, tarOf(t, dir), nil), "so it is in a bundle")
			}
		})
	}
}

// Files that real folders have beside policies are no fault.
func TestFilesBesidePoliciesAreLeftAlone(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "policies")
	write(t, dir, basic())
	write(t, dir, map[string]string{
		"README.md": "x", "LICENSE": "x", "Makefile": "x", ".gitignore": "x", ".pre-commit-config.yaml": "a: 1", ".golangci.yml": "a: 1", "lib/load.rego~": "x",
		".lib.rego.swp": "x", "lib/#load.rego#": "x", "lib/load.rego.tmp": "x", "schemas/input.json": "{}", "lib/testdata/case.json": "{}", "fixtures/a/b.yaml": "a: 1",
		".git/data.json": "{}", ".github/workflows/test.yaml": "a: 1", ".regal/rules/x.rego": "package x", "scanflow/data.yaml": "---\n# one\na: |\n  x\n---\n# nothing\n",
		"ci/renovate.json": "{}", "deploy/values.yaml": "a: 1", ".scanflowignore": "# of other tools\nci/*.json\ndeploy/\n", "doc/picture.png": "x", "script.sh": "x",
		"data.tf": "x", "data.md": "x", "lib/data.go": "x", "x.rego.swp": "x",
		".manifest": `{"revision": "r1", "roots": ["scanflow"], "rego_version": 1, "file_rego_versions": {"/a.rego": 1}, "metadata": {"team": "site"}}`, "scanflow/lib/data.json": `{"a": [{"x": 1}, {"x": 2}], "b": {"a": "a"}}`,
	})
	require.NoError(t, os.Symlink("nowhere", filepath.Join(dir, "lib", ".#load.rego")))
	require.NoError(t, judged(t, dir, nil))
}

// A file that goes away is a change, and one that is no fault is none.
func TestARevisionKnowsItsStrays(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, basic())
	id := func() string {
		src, err := source.ReadDir(dir)
		require.NoError(t, err)
		return src.ID()
	}
	first := id()
	write(t, dir, map[string]string{"README.md": "x"})
	require.Equal(t, first, id())
	write(t, dir, map[string]string{"limits.json": "{}"})
	require.NotEqual(t, first, id())
	require.NoError(t, os.Remove(filepath.Join(dir, "limits.json")))
	require.Equal(t, first, id())
}

// A link is read, or it is said why not.
func TestLinksInAFolder(t *testing.T) {
	for name, c := range map[string]struct{ link, to, want string }{
		"an editor's":                {"lib/.#x.rego", "me@host.1:2", ""},
		"to no picture":              {"lib/x.png", "nowhere.png", ""},
		"to data that is read":       {"scanflow/two/data.json", "../one/data.json", "scanflow/two/data.json: leads to scanflow/one/data.json, and data is read at one place alone; copy it, or have one of the two"},
		"to a folder with data":      {"scanflow/two", "one", "scanflow/two/data.json: leads to scanflow/one/data.json"},
		"to a folder with such":      {"two", "scanflow", "two/one/data.json: leads to scanflow/one/data.json"},
		"to a folder that is later":  {"scanflow/0one", "one", "scanflow/one/data.json: leads to scanflow/0one/data.json"},
		"to a folder of policies":    {"more", "lib", ""},
		"to a policy that is read":   {"lib/y.rego", "load.rego", ""},
		"to the folder above":        {"scanflow/one/up", "..", ""},
		"in a folder like a mount's": {"..site/x.rego", "../lib/load.rego", "..site/x.rego: is not read: it lies in a hidden folder"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "policies")
			write(t, dir, with(basic(), "scanflow/one/data.json", `{"most": 3}`))
			link := filepath.Join(dir, c.link)
			require.NoError(t, os.MkdirAll(filepath.Dir(link), 0o755))
			require.NoError(t, os.Symlink(c.to, link))
			if err := judged(t, dir, nil); c.want == "" {
				require.NoError(t, err)
			} else {
				require.ErrorContains(t, err, c.want)
			}
		})
	}
}

// A link to nothing is no reason to refuse, since it may be one that comes back; it is said.
func TestALinkToNothingIsSaid(t *testing.T) {
	for link, want := range map[string]string{
		"lib/site.rego": "lib/site.rego: a link to nothing, which has no effect; have it lead to a file or a folder, or remove it",
		"lib/data.json": "lib/data.json: a link to nothing",
		"lib/more":      "lib/more: a link to nothing",
		"lib/.#x.rego":  "",
		"lib/x.png":     "",
	} {
		dir := t.TempDir()
		write(t, dir, basic())
		require.NoError(t, os.Symlink("nowhere", filepath.Join(dir, link)))
		require.NoError(t, judged(t, dir, nil))
		src, err := source.ReadDir(dir)
		require.NoError(t, err)
		rev, err := Draft(t.Context(), src)
		require.NoError(t, err)
		if want == "" {
			require.Empty(t, rev.Unused(), link)
			continue
		}
		require.Contains(t, messages(rev.Unused()), want)
	}
}

// A line of the ignore file that names what is read too would have a person believe that it
// is not.
func TestWhatIsIgnoredIsNotRead(t *testing.T) {
	for line, want := range map[string]string{
		"lib/":       `.scanflowignore:2:1: "lib/" names lib/load.rego too, which is read; name the files that are not; what is not to be read lies outside of the policy folder`,
		"lib/*":      `"lib/*" names lib/load.rego too, which is read`,
		"lib/*.json": "",
	} {
		dir := t.TempDir()
		write(t, dir, with(basic(), "lib/limits.json", "{}", ".scanflowignore", "# of a tool\n"+line+"\n"))
		if err := judged(t, dir, nil); want == "" {
			require.NoError(t, err)
		} else {
			require.ErrorContains(t, err, want)
		}
	}
}
