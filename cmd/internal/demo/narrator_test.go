package demo

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/engine"
)

func TestWhatIsNarratedIsOnOneLine(t *testing.T) {
	const hostile = "x\nFORGED row\r\x1b[2J\u202e\u200b"
	var out bytes.Buffer
	n := &narrator{screen: &screen{out: &out, start: time.Unix(0, 0)}}
	target := engine.TargetID{Namespace: "ns", Name: hostile}
	decision := engine.Decision{Target: target, Strategy: hostile, Primitive: hostile, Reason: hostile, Detail: hostile, Because: []string{hostile}, By: hostile, With: map[string]any{hostile: hostile}}
	admitted, refused := decision, decision
	admitted.Verdict, refused.Verdict = engine.Admitted, engine.Refused
	n.Fired(engine.FiringRecord{Problems: []string{hostile}, Decisions: []engine.Decision{admitted, refused}, Trigger: engine.TriggerInfo{Event: &engine.Event{Sender: hostile}}})
	n.Acted(engine.Act{Intent: engine.Intent{
		Change: engine.Change{Proposal: engine.Proposal{Target: target.Target(), Primitive: hostile}},
	}, Outcome: engine.Outcome{Status: engine.Failed, Detail: hostile}})
	require.Equal(t, 4, strings.Count(out.String(), "\n"), out.String())
	for _, bad := range []string{"\nFORGED", "\r", "\x1b", "\u202e", "\u200b"} {
		require.NotContains(t, out.String(), bad)
	}
}
