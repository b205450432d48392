package loop_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/engine"
)

// Events of an agent have the limits of external events. A shared value counts as often as it
// would be encoded.
func TestWhatAnAgentSendsHasLimits(t *testing.T) {
	b := newBench(t)
	b.run(b.spec(func(s *engine.Spec) {
		s.Mode = engine.Paused
		s.Triggers = []engine.Trigger{{Name: "asked", Event: &engine.EventFilter{Types: []string{"asked"}}}}
	}))
	var shared any = "x"
	for range 40 {
		shared = []any{shared, shared}
	}
	var deep any = 1.0
	for range 65 {
		deep = map[string]any{"a": deep}
	}
	many := make([]any, 100_000)
	for name, row := range map[string]struct {
		change func(*engine.Event)
		want   string // "": accepted
	}{
		"sound":             {func(e *engine.Event) { e.Data = map[string]any{"a": []any{1.0, "b", nil, true}} }, ""},
		"shared values":     {func(e *engine.Event) { e.Data = shared }, "the event's data has more than 100000 values; send where it is to be found instead"},
		"many values":       {func(e *engine.Event) { e.Data = many }, "has more than 100000 values"},
		"as many as may be": {func(e *engine.Event) { e.Data = many[1:] }, ""},
		"nested":            {func(e *engine.Event) { e.Data = deep }, "is nested more than 64 deep"},
		"long":              {func(e *engine.Event) { e.Data = strings.Repeat("x", engine.MaxDataBytes) }, "has more than 4128768 bytes"},
		"long once written": {func(e *engine.Event) { e.Data = strings.Repeat("\x00", engine.MaxDataBytes/3) }, "has more than 4128768 bytes"},
		"a long name":       {func(e *engine.Event) { e.Data = map[string]any{strings.Repeat("x", engine.MaxDataBytes): 1.0} }, "has more than 4128768 bytes"},
		"a long type":       {func(e *engine.Event) { e.Type = strings.Repeat("x", 1<<20) }, "the event's type has 1048576 bytes; at most 1024 are sent"},
		"a type of lines":   {func(e *engine.Event) { e.Type = "a\nb" }, "the event's type holds a character that no attribute may have"},
		"a subject":         {func(e *engine.Event) { e.Subject = "\x1b[2J" }, "the event's subject holds a character"},
	} {
		t.Run(name, func(t *testing.T) {
			e := event(name)
			row.change(&e)
			err := b.manager.Router.Publish(t.Context(), e)
			if row.want == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorContains(t, err, row.want)
			require.False(t, engine.IsRetryable(err), "it would be refused again")
			require.Less(t, len(err.Error()), 300)
		})
	}
}

// A trigger's labels are matched in data that is not decoded.
func TestLabelsOfAnAlertAreMatchedInRawJSON(t *testing.T) {
	b := newBench(t)
	b.run(b.spec(func(s *engine.Spec) {
		s.Mode = engine.Paused
		s.Triggers = []engine.Trigger{{Name: "alert", Alert: &engine.EventFilter{Types: []string{engine.AlertFiring}, Labels: map[string]string{"alertname": "High"}}}}
	}))
	for data, want := range map[string]engine.ReceiptVerdict{
		`{"labels":{"alertname":"High"}}`: engine.Accepted, `{"labels":{"alertname":"Low"}}`: engine.UnwantedEvent,
		`{"labels":[]}`: engine.UnwantedEvent, `{}`: engine.UnwantedEvent, `[]`: engine.UnwantedEvent,
	} {
		e := event(data)
		e.Type, e.Data = engine.AlertFiring, json.RawMessage(data)
		receipts, err := b.manager.Router.Receive(t.Context(), engine.Sender{Name: engine.OperatorSender}, []engine.Event{e})
		require.NoError(t, err)
		require.Equal(t, want, receipts[0].Verdict, data)
	}
	waiting, err := b.journal.Inbox(t.Context(), "ns/planner", 10)
	require.NoError(t, err)
	require.Len(t, waiting, 1)
	require.Equal(t, map[string]any{"labels": map[string]any{"alertname": "High"}}, waiting[0].Data, "the agent gets the decoded values")
}
