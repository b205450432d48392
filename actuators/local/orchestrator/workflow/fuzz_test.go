package workflow

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hashicorp/go-hclog"
	"github.com/stretchr/testify/require"
	kyaml "sigs.k8s.io/yaml"
)

// FuzzRunRecord starts a Runner on a folder with any record of a run that has ended: it
// changes nothing outside of the record's folder, and ReadFolder returns the same run.
func FuzzRunRecord(f *testing.F) {
	ended := func(fields string) string {
		return `{"namespace":"ns","name":"r","uid":"u","phase":"Failed","startedAt":"2026-03-01T12:00:00Z","finishedAt":"2026-03-01T12:00:00Z","deadline":"2026-03-01T13:00:00Z"` + fields + `}`
	}
	main := `"template":{"metadata":{"name":"f"},"spec":{"entrypoint":"main","templates":[{"name":"main","dag":{"tasks":[{"name":"a","template":"t"}]}},{"name":"t","container":{"command":["true"]}}]}}`
	for _, raw := range []string{
		ended(``), ended(`,` + main), ended(`,` + main + `,"steps":{"a":null,"":null}`), ended(`,` + main + `,"steps":{"a":{"attempts":[null]},"b":{}}`),
		ended(`,` + main + `,"steps":{"a":{"phase":"Running","attempts":[{"pid":1,"startID":"x","phase":"Running"},null]}}`),
		ended(`,"template":{"spec":{"entrypoint":"main","templates":[{"name":"main","dag":{"tasks":[{"name":"a","template":"main"}]}}]}}`),
		ended(`,"template":{"spec":{"entrypoint":"main","templates":[{"name":"main","dag":{"tasks":[{"name":"a","template":"none","depends":"b && ("}]}}]}}`),
		ended(`,"steps":null,"parameters":{"a":"{{workflow.parameters.a}}"}`),
		strings.Replace(ended(``), `"r"`, `"../../keep"`, 1), strings.Replace(ended(``), `"ns"`, `"../x"`, 1), strings.Replace(ended(``), `"ns"`, `""`, 1), strings.Replace(ended(``), `"r"`, `"other"`, 1),
		strings.ReplaceAll(ended(``), "2026-03-01T12", "0001-01-01T00"), `{}`, `null`, `[]`, ``, `{"phase":"Succeeded"`, ended(`,"template":{"spec":{"arguments":{"parameters":[{"name":"a","value":1e100000}]}}}`),
		ended(`,"template":{"spec":{"workflowMetadata":` + strings.Repeat(`{"a":`, 5000) + `1` + strings.Repeat(`}`, 5000) + `}}`),
	} {
		f.Add([]byte(raw))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		var rec record
		if json.Unmarshal(raw, &rec) == nil && !rec.Phase.Ended() {
			return // it would go on
		}
		top := t.TempDir()
		dir, keep := filepath.Join(top, "runs"), filepath.Join(top, "keep")
		for _, d := range []string{filepath.Join(dir, "ns_r"), keep, filepath.Join(dir, "ns_other")} {
			require.NoError(t, os.MkdirAll(d, 0o700))
			require.NoError(t, os.WriteFile(filepath.Join(d, "file"), nil, 0o600))
		}
		require.NoError(t, os.WriteFile(filepath.Join(dir, "ns_other", recordName), []byte(`{"namespace":"ns","name":"other","phase":"Failed","finishedAt":"2999-01-01T00:00:00Z"}`), 0o600))
		require.NoError(t, os.WriteFile(filepath.Join(dir, "ns_r", recordName), raw, 0o600))
		seen, err := ReadFolder(dir)
		r, openErr := New(Options{Dir: dir, Log: hclog.NewNullLogger()})
		require.NoError(t, openErr)
		r.Start()
		for _, run := range r.Runs() {
			require.Equal(t, filepath.Join(dir, run.Namespace+"_"+run.Name), run.Folder)
			require.Contains(t, []string{"ns_r", "ns_other"}, filepath.Base(run.Folder))
			_, marshalErr := json.Marshal(run)
			require.NoError(t, marshalErr)
		}
		if err == nil {
			require.GreaterOrEqual(t, len(seen), len(r.Runs()))
		}
		require.NoError(t, r.Close(t.Context(), StopAll))
		for _, d := range []string{keep, filepath.Join(dir, "ns_other")} {
			require.FileExists(t, filepath.Join(d, "file"), "another's folder was removed")
		}
	})
}

// FuzzSubstitute substitutes references in any text: values are not substituted again, and
// whether check accepts a text doesn't depend on the values.
func FuzzSubstitute(f *testing.F) {
	for _, text := range []string{"", "{{a}}", "{{ a }}{{b}}", "{{a", "a}}", "{{{{a}}}}", "{{a}}}}{{", "{{\n}}", "{{=1+1}}", "{{tasks.a.outputs.result}}", "\xff{{\xff}}", strings.Repeat("{{", 10_000), strings.Repeat("{{a}}", 1000)} {
		f.Add(text, "a", "{{a}}")
	}
	f.Fuzz(func(t *testing.T, text, name, value string) {
		s := scope{name: value}
		names := references(text)
		require.LessOrEqual(t, len(names), len(text)/4)
		got, err := s.substitute(text)
		if s.check(text, nil) == "" && name != "" && !strings.HasSuffix(name, anyOutput) {
			require.NoError(t, err, "nothing was wrong with it")
		}
		if err != nil {
			require.Empty(t, got)
			return
		}
		for _, n := range names {
			require.Equal(t, name, n)
		}
		require.Len(t, got, len(reference.ReplaceAllString(text, ""))+len(names)*len(value))
	})
}

// FuzzTemplate encodes a template that passes Check, and decodes it again: the run can
// still be resumed.
func FuzzTemplate(f *testing.F) {
	for _, spec := range []string{
		training, "entrypoint: 1e100000", "templates: [{name: main, container: {command: [a]}, retryStrategy: {limit: 99999999999, backoff: {duration: 9999999999999h, factor: 1e9}}}]",
		"arguments: {parameters: [{name: a, value: 1e400}, {name: a, enum: [~]}]}", "a: &a [*a]", "a: &a [1]\nb: &b [*a,*a]\nc: [*b,*b]", "activeDeadlineSeconds: -9223372036854775808",
		"templates: [{name: main, activeDeadlineSeconds: '{{x}}', container: {command: [a], args: ['{{inputs.parameters.a}}']}, inputs: {parameters: [{name: a, value: \"\\0\"}]}}]",
	} {
		f.Add(spec, "a", "b")
	}
	f.Fuzz(func(t *testing.T, spec, parameter, value string) {
		var template Template
		if kyaml.UnmarshalStrict([]byte("metadata: {name: flow}\nspec:\n  entrypoint: main\n"+indent(spec)), &template) != nil {
			return
		}
		if len(Check(&template)) > 0 {
			return
		}
		given, err := ResolveParameters(&template, map[string]string{parameter: value})
		if err == nil {
			require.Equal(t, value, given[parameter])
		}
		raw, err := json.Marshal(&template)
		require.NoError(t, err)
		var retry Template
		require.NoError(t, json.Unmarshal(raw, &retry), "its record could not be read")
		require.Empty(t, Check(&retry), "it could not be resumed")
	})
}
