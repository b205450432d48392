package status

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/fluxcd/cli-utils/pkg/kstatus/status"
	"github.com/stretchr/testify/require"
	lua "github.com/yuin/gopher-lua"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	sigsyaml "sigs.k8s.io/yaml"

	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/kubernetes/apiclient"
	"github.com/scanflow-k8s/scanflow/engine/manifest"
)

const page = "../../../../docs/kubernetes.md"

var denied = []*apiclient.ForbiddenError{apiclient.NewForbidden(apiclient.Right{Verb: "patch", Group: "apps", Resource: "deployments/scale", Namespace: "ml"}, "system:serviceaccount:ml:scanflow")}

// The rows of the table in the page: the situation, Ready, the second condition, and what
// kstatus and Argo CD make of it.
var rows = []struct {
	name         string
	situation    *situation // nil: no process has written a status of this generation
	old          bool       // there is one of an earlier generation
	ready, other string
	kstatus      status.Status
	argo         string
}{
	{"it runs", &situation{running: true, mode: engine.Enforce}, false, "True, Running", "", status.CurrentStatus, "Healthy"},
	{"`mode: dry-run`", &situation{running: true, mode: engine.DryRun}, false, "True, DryRun", "", status.CurrentStatus, "Healthy"},
	{"`mode: paused`", &situation{running: true, mode: engine.Paused}, false, "True, Paused", "", status.CurrentStatus, "Suspended"},
	{"a sensor, a strategy or a target fails", &situation{running: true, mode: engine.Enforce, problems: []string{"sensor load: refused"}}, false, "True, Running", "", status.CurrentStatus, "Healthy"},
	{"created, and no process has judged it", nil, false, "Unknown, Pending", "Reconciling", status.InProgressStatus, "Progressing"},
	{"changed, and nobody leads", nil, true, "of the generation before", "", status.InProgressStatus, "Progressing"},
	{"a mistake in the spec, and none of its specs was right so far", &situation{refused: Refusal{ReasonInvalid, "spec.triggers: none"}}, false, "False, Invalid", "Stalled", status.FailedStatus, "Degraded"},
	{"a mistake in the spec, and the last good one runs", &situation{refused: Refusal{ReasonInvalid, "spec.triggers: none"}, running: true, mode: engine.Enforce}, false, "False, Invalid", "Stalled", status.FailedStatus, "Degraded"},
	{"a strategy that the policies don't have, for two minutes", &situation{refused: Refusal{ReasonUnfit, "no strategy"}, recent: true}, false, "False, UnfitForPolicies", "Reconciling", status.InProgressStatus, "Progressing"},
	{"the same, after that", &situation{refused: Refusal{ReasonUnfit, "no strategy"}}, false, "False, UnfitForPolicies", "Stalled", status.FailedStatus, "Degraded"},
	{"a right is missing", &situation{running: true, mode: engine.Enforce, missing: denied}, false, "False, MissingRight", "Stalled", status.FailedStatus, "Degraded"},
	{"a Secret that is not there, or may not be sent, for two minutes", &situation{running: true, mode: engine.Enforce, withheld: []string{"spec.credentials[0]"}, recent: true}, false, "False, SecretsWithheld", "Reconciling", status.InProgressStatus, "Progressing"},
	{"the same, after that ", &situation{running: true, mode: engine.Enforce, withheld: []string{"spec.credentials[0]"}}, false, "False, SecretsWithheld", "Stalled", status.FailedStatus, "Degraded"},
	{"its targets can't be listed, or the ledger can't be written", &situation{running: true, mode: engine.Enforce, blocked: "list targets: no kind"}, false, "False, Blocked", "Reconciling", status.InProgressStatus, "Progressing"},
}

// The tools that wait for an agent, on each row of the table in the page.
func TestToolsJudgeAnAgentByItsConditions(t *testing.T) {
	raw, err := os.ReadFile(page)
	require.NoError(t, err)
	script := healthScript(t, string(raw))
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			o := object(t, row.situation, row.old)
			result, err := status.Compute(o)
			require.NoError(t, err)
			require.Equal(t, row.kstatus, result.Status, result.Message)
			argo, message := health(t, script, o)
			require.Equal(t, row.argo, argo, message)
			require.NotEmpty(t, message)

			if row.situation != nil || !row.old {
				ready, other := summary(t, o)
				require.Equal(t, row.ready, ready)
				require.Equal(t, row.other, other)
			}
			require.Contains(t, string(raw), fmt.Sprintf("| %s | %s | %s | %s | %s |\n", strings.TrimSpace(row.name), row.ready, row.other, row.kstatus, row.argo), "the row of the page")
		})
	}
}

// Whatever holds at once, exactly one of Ready, Stalled and Reconciling is True, and Ready is
// never missing.
func TestTheConditionsExcludeOneAnother(t *testing.T) {
	for bits := range 1 << 7 {
		is := func(n int) bool { return bits>>n&1 == 1 }
		s := situation{running: is(0), recent: is(1), mode: engine.Enforce}
		if is(2) {
			s.refused = Refusal{ReasonUnfit, "x"}
		} else if !s.running {
			continue // it would run
		}
		if is(3) {
			s.missing = denied
		}
		if is(4) {
			s.withheld = []string{"x"}
		}
		if is(5) {
			s.blocked = "x"
		}
		if is(6) {
			s.problems = []string{"x"}
		}
		holds, there := 0, map[string]bool{}
		for _, c := range conditions(s) {
			require.False(t, there[c.Type], "%s twice", c.Type)
			there[c.Type] = true
			require.NotEmpty(t, c.Reason)
			require.NotEmpty(t, c.Message)
			switch c.Type {
			case manifest.Ready, manifest.Stalled, manifest.Reconciling:
				if c.Status == "True" {
					holds++
				}
			}
		}
		require.Equal(t, 1, holds, "%+v", s)
		require.True(t, there[manifest.Ready] && there[manifest.Accepted] && there[manifest.Running])
	}
}

func TestTheMessageOfAMissingRightHasTheRule(t *testing.T) {
	s := situation{running: true, mode: engine.Enforce, missing: append(denied, apiclient.NewForbidden(apiclient.Right{Verb: "get", Resource: "secrets", Namespace: "ml", Name: "hook"}, "u"),
		apiclient.NewForbidden(apiclient.Right{Verb: "list", Resource: "pods"}, "u"))}
	want := `system:serviceaccount:ml:scanflow may not patch deployments/scale of apps in the namespace ml; add to a Role in the namespace ml: {apiGroups: ["apps"], resources: ["deployments/scale"], verbs: ["patch"]}
u may not get secrets in the namespace ml; add to a Role in the namespace ml: {apiGroups: [""], resources: ["secrets"], resourceNames: ["hook"], verbs: ["get"]}
u may not list pods in all namespaces; add to a ClusterRole, bound by a ClusterRoleBinding: {apiGroups: [""], resources: ["pods"], verbs: ["list", "watch"]}`
	require.Equal(t, want, conditions(s)[0].Message)
	for line := range strings.Lines(want) {
		_, rule, _ := strings.Cut(line, ": {")
		var out struct{ Verbs []string }
		require.NoError(t, sigsyaml.Unmarshal([]byte("{"+rule), &out), "it is YAML")
		require.NotEmpty(t, out.Verbs)
	}
}

// object is an agent as the API server returns it.
func object(t *testing.T, s *situation, old bool) *unstructured.Unstructured {
	t.Helper()
	shown := map[string]any{}
	generation := int64(1)
	mode := engine.Enforce
	switch {
	case s == nil && !old:
		shown = defaultStatus(t)
	case s == nil:
		generation = 2
		s = &situation{running: true, mode: engine.Enforce}
		fallthrough
	default:
		mode = s.mode
		raw, err := json.Marshal(manifest.Status{ObservedGeneration: 1, Conditions: conditions(*s)})
		require.NoError(t, err)
		require.NoError(t, json.Unmarshal(raw, &shown))
		shown["observedGeneration"] = int64(1)
	}
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": manifest.APIVersion, "kind": manifest.Kind, "metadata": map[string]any{"name": "a", "namespace": "ml", "generation": generation},
		"spec": map[string]any{"mode": string(mode)}, "status": shown,
	}}
}

// defaultStatus is the status that the API server shows before any was written.
func defaultStatus(t *testing.T) map[string]any {
	t.Helper()
	definition, err := manifest.CRD(manifest.Kinds{})
	require.NoError(t, err)
	var o map[string]any
	require.NoError(t, sigsyaml.Unmarshal(definition, &o))
	versions, _, err := unstructured.NestedSlice(o, "spec", "versions")
	require.NoError(t, err)
	out, there, err := unstructured.NestedMap(versions[0].(map[string]any), "schema", "openAPIV3Schema", "properties", "status", "default")
	require.NoError(t, err)
	require.True(t, there)
	return out
}

func summary(t *testing.T, o *unstructured.Unstructured) (ready, other string) {
	t.Helper()
	conditions, _, err := unstructured.NestedSlice(o.Object, "status", "conditions")
	require.NoError(t, err)
	for _, raw := range conditions {
		switch c := raw.(map[string]any); c["type"] {
		case manifest.Ready:
			ready = fmt.Sprintf("%s, %s", c["status"], c["reason"])
		case manifest.Stalled, manifest.Reconciling:
			require.Equal(t, "True", c["status"], "it is absent where it does not hold")
			other += c["type"].(string)
		}
	}
	return ready, other
}

// healthScript is the health check for Argo CD in the page.
func healthScript(t *testing.T, text string) string {
	t.Helper()
	const begin = "local health = "
	_, script, found := strings.Cut(text, "\n```text\n"+begin)
	require.True(t, found)
	script, _, _ = strings.Cut(script, "```")
	return begin + script
}

// health runs a health check as Argo CD does.
func health(t *testing.T, script string, o *unstructured.Unstructured) (is, message string) {
	t.Helper()
	l := lua.NewState(lua.Options{SkipOpenLibs: true})
	defer l.Close()
	for name, open := range map[string]lua.LGFunction{lua.BaseLibName: lua.OpenBase, lua.TabLibName: lua.OpenTable, lua.StringLibName: lua.OpenString} {
		require.NoError(t, l.CallByParam(lua.P{Fn: l.NewFunction(open), Protect: true}, lua.LString(name)))
	}
	l.SetGlobal("obj", luaValue(l, o.Object))
	require.NoError(t, l.DoString(script))
	answer, isTable := l.Get(-1).(*lua.LTable)
	require.True(t, isTable)
	return l.GetField(answer, "status").String(), l.GetField(answer, "message").String()
}

func luaValue(l *lua.LState, v any) lua.LValue {
	switch v := v.(type) {
	case string:
		return lua.LString(v)
	case int64:
		return lua.LNumber(v)
	case float64:
		return lua.LNumber(v)
	case []any:
		out := l.NewTable()
		for _, item := range v {
			out.Append(luaValue(l, item))
		}
		return out
	case map[string]any:
		out := l.NewTable()
		for k, item := range v {
			l.SetField(out, k, luaValue(l, item))
		}
		return out
	}
	panic(errors.New("no Lua value for this"))
}
