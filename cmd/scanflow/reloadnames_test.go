package main

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// The refusal of a reload has every line that `scanflow check` prints for the same files, as
// does the refusal to start.
func TestAReloadNamesWhatCheckNames(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	d := startDaemon(t, s.args()...)
	good := s.read("policies/call.rego")
	agent := s.read("agents/watcher.yaml")
	for name, row := range map[string]struct {
		policy, agent string
		want          []string
	}{
		"a misspelt signal, which fails a test too": {policy: strings.ReplaceAll(good, "signals.load", "signals.laod"),
			want: []string{"undefined ref: input.signals.laod", "test scanflow.strategies.t.call_test.test_calls fails"}},
		"two mistakes that compile": {policy: strings.ReplaceAll(strings.ReplaceAll(good, "signals.load", "signals.laod"), "params.url", "params.ulr"),
			want: []string{"input.signals.laod", "input.params.ulr"}},
		"a failing test alone": {policy: strings.ReplaceAll(good, "> input", "< input"), want: []string{"test_calls fails"}},
		"a strategy of another name": {policy: strings.ReplaceAll(good, "strategies.t.call", "strategies.t.cal"),
			want: []string{`no strategy "t.call" in the policies`}},
		"no Rego":                    {policy: good + "\na line of nonsense\n", want: []string{"rego_parse_error"}},
		"a manifest and a policy":    {policy: strings.ReplaceAll(good, "signals.load", "signals.laod"), agent: strings.ReplaceAll(agent, "mode: enforce", "") + "  modus: dry-run\n", want: []string{"modus"}},
		"a policy for another agent": {policy: strings.ReplaceAll(good, "> input.params.bound", "> input.params.bond"), want: []string{"input.params.bond", "for agent test/watcher"}},
	} {
		t.Run(name, func(t *testing.T) {
			before := len(d.lines())
			s.write("policies/call.rego", row.policy)
			if row.agent != "" {
				s.write("agents/watcher.yaml", row.agent)
			}
			t.Cleanup(func() {
				s.write("agents/watcher.yaml", agent)
				s.write("policies/call.rego", good)
				d.saidAfter(before, "policies are again what they were")
			})
			checked, code := scanflow(t, "check", "-f", s.agents, "--policies", s.policies)
			require.NotZero(t, code)
			for _, want := range row.want {
				require.Contains(t, checked, want)
			}
			d.saidAfter(before, "policies refused, the old ones stay")
			if row.agent != "" {
				d.saidAfter(before, "manifests refused, the old ones run on")
			}
			var refused strings.Builder
			for _, line := range d.lines()[before:] {
				if text, _ := line["@message"].(string); strings.Contains(text, "refused") {
					refused.WriteString(refusalText(line["error"]))
				}
			}
			started, code := scanflow(t, append([]string{"run", "--listen", "127.0.0.1:0"}, "-f", s.agents, "--policies", s.policies, "--data", t.TempDir())...)
			require.NotZero(t, code)
			for line := range strings.Lines(checked) {
				line = strings.TrimSpace(line)
				if strings.HasPrefix(line, "scanflow: not fit") || strings.HasPrefix(line, "warning:") {
					continue
				}
				line = strings.ReplaceAll(line, s.dir+"/", "")
				require.Contains(t, strings.ReplaceAll(refused.String(), s.dir+"/", ""), line, "the reload")
				require.Contains(t, strings.ReplaceAll(started, s.dir+"/", ""), line, "the start")
			}
		})
	}
}

// refusalText returns the error of a log line as text.
func refusalText(v any) string {
	switch v := v.(type) {
	case string:
		return v + "\n"
	case []any:
		out := ""
		for _, one := range v {
			out += refusalText(one)
		}
		return out
	}
	return ""
}

// A guard may read a signal that only another agent has, and binds both: what check accepts,
// eval of one of the agents accepts.
func TestEvalOfOneAgentJudgesGuardsAsCheck(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.agent("second", "")
	s.write("agents/second.yaml", strings.ReplaceAll(s.read("agents/second.yaml"), "name: load", "name: other"))
	s.write("agents/second.yaml", strings.ReplaceAll(s.read("agents/second.yaml"), "strategies: [t.call]", "strategies: []"))
	s.write("policies/guards.rego", "package scanflow.guards.other\n\n# METADATA\n# custom:\n#   states: [empty]\ndeny contains \"high\" if input.signals.other.value > 100\n")
	s.write("policies/guards_test.rego", "package scanflow.guards.other_test\n\ntest_nothing if true\n")
	out, code := scanflow(t, "check", "-f", s.agents, "--policies", s.policies)
	require.Zero(t, code, out)
	out, code = scanflow(t, "eval", "-f", s.agents, "--policies", s.policies, "--agent", "watcher")
	require.Zero(t, code, out)
}
