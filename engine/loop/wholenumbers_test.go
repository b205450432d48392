package loop_test

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/jsonvalue"
)

const echoing = `package scanflow.strategies.t.answering

propose contains p if {
	input.trigger.kind == "event"
	id := input.trigger.event.data.id
	object.get(input.memory, ["t.answering", "note", "id"], id) == id
	object.get(input.memory, ["t.answering", "last", "hook", "with", "id"], id) == id
	p := {
		"primitive": "hook", "with": {"id": id, "next": id + 1, "signal": input.signals.load.value.id, "param": input.params.id},
		"note": {"id": id}, "reason": "asked", "because": ["load"],
	}
}
`

// A whole number from an event, a sensor or a param keeps its exact value in the document, the
// policy, the act, the note and the journal, also after a restart.
func TestWholeNumbersAreExactFromEndToEnd(t *testing.T) {
	for text, next := range map[string]string{
		"7": "8", "9007199254740993": "9007199254740994", "18446744073709551617": "18446744073709551618", "1e21": "1000000000000000000001",
	} {
		t.Run(text, func(t *testing.T) {
			id := jsonvalue.Exact(json.Number(text))
			b := newBench(t, echoing)
			b.world.set("web", 1)
			b.load.set("web", engine.Signal{State: engine.OK, Value: map[string]any{"id": id}})
			spec := b.spec(handlesEvents, func(s *engine.Spec) { s.Params = map[string]any{"id": id} })
			b.run(spec)
			for _, name := range []string{"1", "2"} { // the second after a restart, which reads everything from the journal
				e := event(name)
				e.Data = json.RawMessage(`{"id": ` + text + `}`)
				require.NoError(t, b.manager.Router.Publish(t.Context(), e))
				f := b.next()
				require.Empty(t, f.Problems)
				d := only(t, f)
				wrote, err := json.Marshal(d.With)
				require.NoError(t, err)
				want, err := json.Marshal(map[string]any{"id": id, "next": json.Number(next), "signal": id, "param": id})
				require.NoError(t, err)
				require.Equal(t, string(want), string(wrote))
				again, err := engine.ReadDocument(d.Document)
				require.NoError(t, err)
				rewritten, err := json.Marshal(again)
				require.NoError(t, err)
				require.JSONEq(t, string(d.Document), string(rewritten))
				require.Contains(t, string(rewritten), `"data":{"id":`+string(must(json.Marshal(id)))+`}`)
				b.nextAct()
				sent, err := json.Marshal(b.world.sent[len(b.world.sent)-1].With)
				require.NoError(t, err)
				require.Equal(t, string(want), string(sent))
				b.restart()
				b.run(spec)
			}
		})
	}
}

func must(raw []byte, err error) []byte {
	if err != nil {
		panic(err)
	}
	return raw
}

// A number beyond a float's exact integers is clamped like any other.
func TestReplicasBeyondFloatsAreClamped(t *testing.T) {
	b := newBench(t, `package scanflow.strategies.t.huge

propose contains {"primitive": "scale", "with": {"replicas": 9007199254740993}, "reason": "more", "because": []}
`)
	b.world.set("web", 1)
	b.run(b.spec(func(s *engine.Spec) {
		s.Strategies = []string{"t.huge"}
		s.Guards.Replicas = &engine.ReplicaGuard{Max: 3}
	}))
	d := only(t, b.next())
	require.Equal(t, 3.0, d.With["replicas"], d.Detail)
}
