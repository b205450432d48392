package manifest

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/engine"
)

// Every field that a manifest can set has its line in the reference.
func TestEveryFieldIsDocumented(t *testing.T) {
	require.Empty(t, Undocumented(Kinds{Sensors: map[string]func() any{"agent": func() any { return new(Agent) }}}))
	require.Empty(t, Undocumented(sampleKinds()))
	type silent struct {
		Loud  string     `json:"loud" doc:"heard"`
		Quiet []struct{} `json:"quiet"`
		Inner struct {
			Mute Duration `json:"mute"`
		} `json:"inner" doc:"within"`
	}
	require.Equal(t, []string{"s.inner.mute", "s.quiet"}, Undocumented(Kinds{Verbs: map[string]func() any{"s": func() any { return new(silent) }}}))
}

func TestReferenceHasEverything(t *testing.T) {
	page := Reference(sampleKinds())
	for _, line := range []string{
		"| `metadata.namespace` | text | `default` | the agent's namespace |",
		"; one of `enforce`, `dry-run`, `paused` |", "| `spec.mode` | text | `enforce` | ",
		"| `spec.triggers[].event.type` | text | required | the CloudEvents type, like dev.scanflow.retrain.requested |",
		"| `spec.guards.fleet.targets` | whole number or percentage | required | most targets: a number, or a percentage like 10%, which allows at least one |",
		"### prometheus", "| `range.span` | duration | required | how far back |", "| `url` | text |  | address of the server |",
		"| `headers` | mapping to secret |  | headers, by reference |",
		"### model.promote", "It has no fields.",
		"| `input.signals.NAME.value` | any | what was measured, any JSON; only where the state is ok |",
		"| `input.memory[\"STRATEGY\"].last[KEY].outcome` | string |",
		"| `input.trigger.kind` | string | how it fired; manual is scanflow eval: `every`, `cron`, `at`, `event`, `alert`, `watch`, `manual` |",
		"| `input.claims[KEY].state` | string |",
		"| `input.signals.NAME.since_ns` | integer | ", "| `input.trigger.event.sender` | string | ", "| `input.trigger.approval` | string | ",
		"| `spec.triggers[].alert.status` | text | `firing` | ", "| `spec.guards.approvalExpiry` | duration | `24h` | ",
	} {
		require.Contains(t, page, line)
	}
	for _, f := range fieldsOf(reflect.TypeFor[Spec]()) {
		require.Contains(t, page, "| `spec."+f.name+"` |")
	}
	require.NotContains(t, page, "password.env", "a secret is one thing")
	for _, line := range strings.Split(page, "\n") {
		if strings.HasPrefix(line, "|") {
			require.Contains(t, []int{4, 5}, strings.Count(strings.ReplaceAll(line, `\|`, ""), "|"), line)
		}
	}
	require.Equal(t, page, Reference(sampleKinds()), "the same page each time")
}

// The defaults that the tags promise are those of the engine.
func TestDefaultsAreTheEngines(t *testing.T) {
	timeout, _ := reflect.TypeFor[Sensor]().FieldByName("Timeout")
	require.Equal(t, engine.DefaultSensorTimeout.String(), timeout.Tag.Get("default"))
	expiry, _ := reflect.TypeFor[Guards]().FieldByName("ApprovalExpiry")
	written, err := time.ParseDuration(expiry.Tag.Get("default"))
	require.NoError(t, err)
	require.Equal(t, engine.DefaultApprovalExpiry, written)
}
