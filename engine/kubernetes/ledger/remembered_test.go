package ledger

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/engine"
)

func rememberedNote(value any) engine.Note {
	return engine.Note{Target: intent("", 0).Target.ID(), Strategy: "t.streak", Remembered: true, At: day, Value: value}
}

// What a strategy remembers changes at each look: it costs no request, and is written with the
// next act on the target.
func TestWhatIsRememberedRidesWithAnAct(t *testing.T) {
	c := shared(t)
	client, _ := connect(t, c)
	o := Options{Client: client, Namespace: c.Namespace(t), History: history(t)}
	l := begin(t, o)
	before := requests(client)
	for i := range 3 {
		f := firing("f-quiet-" + string(rune('a'+i)))
		f.Notes = []engine.Note{rememberedNote(float64(i))}
		require.NoError(t, l.RecordFiring(t.Context(), f))
	}
	require.Equal(t, before, requests(client))
	require.NoError(t, l.RecordFiring(t.Context(), firing("f-act", "i1")))
	f := firing("f-later")
	f.Notes = []engine.Note{rememberedNote(9.0)}
	require.NoError(t, l.RecordFiring(t.Context(), f))
	crash(l)
	r, err := begin(t, o).Remember(t.Context(), agent, day)
	require.NoError(t, err)
	require.Equal(t, []engine.Note{rememberedNote(2.0)}, r.Notes, "the value of the last act: a new leader begins from it")
}

// Targets come and go, and what their strategies remember is not held for ever.
func TestWhatWaitsForARecordIsBounded(t *testing.T) {
	l := &Ledger{}
	hold := func(target string, second int, value any) {
		n := rememberedNote(value)
		n.Target.Name = target
		require.NoError(t, l.holdRemembered(&engine.FiringRecord{Agent: agent, At: day.Add(time.Duration(second) * time.Second), Notes: []engine.Note{n}}))
	}
	for i := range 3 * mostRemembered {
		hold(fmt.Sprintf("job-%d", i), i, i)
	}
	require.LessOrEqual(t, len(l.remembered), mostRemembered)
	require.GreaterOrEqual(t, len(l.remembered), mostRemembered/2)
	newest := rememberedNote(nil)
	newest.Target.Name = fmt.Sprintf("job-%d", 3*mostRemembered-1)
	n, err := noteOf(&engine.FiringRecord{Agent: agent, At: day}, &newest)
	require.NoError(t, err)
	require.Contains(t, l.remembered, n.key())
	hold(newest.Target.Name, 3*mostRemembered, strings.Repeat("x", 2*rememberedBytes))
	require.NotContains(t, l.remembered, n.key(), "a value that is too large for a record is not held, and no older one in its place")
}
