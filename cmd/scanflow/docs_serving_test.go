package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Every manifest of the page is accepted by check, without a warning, and for every
// strategy there is one.
func TestServingPageManifests(t *testing.T) {
	r := read(t, "docs/serving.md", "", "")
	r.files()
	files, err := filepath.Glob(filepath.Join(r.dir, "*.yaml"))
	require.NoError(t, err)
	var all strings.Builder
	for _, file := range files {
		raw, err := os.ReadFile(file)
		require.NoError(t, err)
		all.Write(raw)
		out, err := r.shell("scanflow check -f " + filepath.Base(file)).CombinedOutput()
		require.NoError(t, err, "%s: %s", file, out)
		require.True(t, strings.HasPrefix(string(out), "ok: "), "%s: %s", file, out)
	}
	for name := range servingStrategies(t) {
		require.Contains(t, all.String(), "serving."+name)
	}
	shipped, err := os.ReadFile(filepath.Join("..", "..", "deploy", "local", "autoscale", "planner.yaml"))
	require.NoError(t, err)
	require.Contains(t, all.String(), string(shipped), "as it ships")
}

// The section of a strategy names every signal and every param that its METADATA does,
// and that names all that its rules read.
func TestServingPageNamesSignalsAndParams(t *testing.T) {
	page, err := os.ReadFile(filepath.Join("..", "..", "docs", "serving.md"))
	require.NoError(t, err)
	list := regexp.MustCompile(`(?m)^#   (?:signals|params):\n((?:#     .+\n)+)`)
	name := regexp.MustCompile(`(?m)^#     (\w+): `)
	read := regexp.MustCompile(`input\.(?:params|signals)(?:\.|, \[?")(\w+)`)
	for strategy, text := range servingStrategies(t) {
		_, section, found := strings.Cut(string(page), "\n## serving."+strategy+"\n")
		require.True(t, found, strategy)
		section, _, _ = strings.Cut(section, "\n## ")
		known := map[string]bool{}
		for _, m := range list.FindAllStringSubmatch(text, -1) {
			for _, n := range name.FindAllStringSubmatch(m[1], -1) {
				known[n[1]] = true
				require.Contains(t, section, "`"+n[1]+"`", "the section on serving.%s", strategy)
			}
		}
		for _, m := range read.FindAllStringSubmatch(text, -1) {
			require.True(t, known[m[1]], "the METADATA of serving.%s says nothing of %s", strategy, m[1])
		}
	}
}

// servingStrategies are the texts of the serving strategies that ship, by name.
func servingStrategies(t *testing.T) map[string]string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("..", "..", "policies", "scanflow", "strategies", "serving", "*", "*.rego"))
	require.NoError(t, err)
	out := map[string]string{}
	for _, file := range files {
		if strings.HasSuffix(file, "_test.rego") {
			continue
		}
		raw, err := os.ReadFile(file)
		require.NoError(t, err)
		out[filepath.Base(filepath.Dir(file))] = string(raw)
	}
	require.NotEmpty(t, out)
	return out
}

// A value that makes no sense is accepted by check, and named by eval.
func TestServingPageParamsThatMakeNoSense(t *testing.T) {
	r := read(t, "docs/serving.md", "", "")
	r.files()
	require.NoError(t, os.MkdirAll(filepath.Join(r.dir, "workloads"), 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(r.dir, "workloads", "predictor.yaml"), []byte(`apiVersion: apps/v1
kind: Deployment
metadata: {name: predictor, namespace: digits, labels: {app.kubernetes.io/component: predictor, example.com/serves: primary}}
spec:
  selector: {matchLabels: {app: predictor}}
  template:
    metadata: {labels: {app: predictor}}
    spec: {containers: [{name: main, command: [sleep, "1"]}]}
`), 0o600))
	for name, row := range map[string]struct{ file, from, to, agent, want string }{
		"a capacity of none":      {"autoscale.yaml", "requests_per_second_per_replica: 12.5", "requests_per_second_per_replica: 0", "planner", "params.requests_per_second_per_replica: is no number above 0"},
		"a time below zero":       {"idle.yaml", "idle_ns: 600e9", "idle_ns: -1", "planner", "params.idle_ns: is no number of 0 or more"},
		"a lead below zero":       {"reserve.yaml", "lead_ns: 300e9", "lead_ns: -1", "reserve", "params.lead_ns: is no number of nanoseconds from 0 to 24 hours"},
		"a time of one digit":     {"schedule.yaml", `from: "08:00"`, `from: "8:00"`, "planner", "params.schedule[0].from is no time of the day like 08:45 or 08:45:30"},
		"a min above its max":     {"schedule.yaml", "min: 3, max: 9", "min: 10, max: 9", "planner", "params.schedule[0]: min and max are no whole numbers with 0 <= min"},
		"a template without name": {"isolate.yaml", "batch_template: offline", `batch_template: ""`, "isolate", "params.batch_template: is no name"},
	} {
		t.Run(name, func(t *testing.T) {
			raw, err := os.ReadFile(filepath.Join(r.dir, row.file))
			require.NoError(t, err)
			require.Contains(t, string(raw), row.from)
			require.NoError(t, os.WriteFile(filepath.Join(r.dir, "wrong.yaml"), []byte(strings.Replace(string(raw), row.from, row.to, 1)), 0o600))
			var exit *exec.ExitError
			out, err := r.shell("scanflow check -f wrong.yaml").CombinedOutput()
			require.ErrorAs(t, err, &exit, "%s", out)
			require.Contains(t, string(out), "(says serving.")
			out, err = r.shell("scanflow eval -f wrong.yaml --agent " + row.agent + " --workloads workloads --over 1ms --prometheus http://127.0.0.1:9").Output()
			require.ErrorAs(t, err, &exit, "%s", out)
			require.Equal(t, exitMalformed, exit.ExitCode(), "%s", out)
			require.Contains(t, string(out), row.want)
			require.Contains(t, string(out), `"by": "shape"`)
		})
	}
}

// The commands of the page on a schedule.
func TestServingPageSchedule(t *testing.T) {
	r := read(t, "docs/serving.md", "\n## serving.schedule\n", "\n## serving.reserve\n")
	r.files()
	r.runs(r.step("echo"))
	r.runs(r.step("scanflow eval"))
	r.runs(r.step("sed"))
}
