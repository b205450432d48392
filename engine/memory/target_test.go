package memory

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/engine"
)

var epoch = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func TestMemoryForgetsWhatNoGuardCounts(t *testing.T) {
	m := &Target{}
	for i := range 1000 {
		in := &engine.Intent{Change: engine.Change{Proposal: engine.Proposal{Identity: fmt.Sprint(i), Primitive: "webhook"}}, At: epoch.AddDate(0, 0, i)}
		m.Add(in, time.Hour)
		m.end(in, engine.Outcome{Status: engine.Done}, in.At, false)
	}
	require.LessOrEqual(t, len(m.acts), 2)
}

// Acts that an earlier process did under a clock that was ahead do not delay later ones.
func TestWhatIsLoadedIsNotAhead(t *testing.T) {
	target := engine.Target{Name: "web"}
	act := func(identity string, at time.Time) engine.Act {
		return engine.Act{
			Intent:  engine.Intent{Change: engine.Change{Proposal: engine.Proposal{Identity: identity, Primitive: "scale", Target: target}}, Direction: engine.Up, At: at},
			Outcome: engine.Outcome{Status: engine.Done}, EndedAt: at,
		}
	}
	r := engine.Recollection{Acts: []engine.Act{act("ahead", epoch.AddDate(1, 0, 0)), act("right", epoch.Add(-time.Second))}}
	b := NewBook()
	b.Load(NotAfter(r, epoch), false, time.Minute, nil)
	m := b.Of(target.ID())
	require.Equal(t, 2, m.Count(epoch.Add(-time.Minute), nil), "the later one does not make the earlier one forgotten")
	require.Zero(t, m.Count(epoch, nil))
	require.Equal(t, epoch.AddDate(1, 0, 0), r.Acts[0].At, "the journal's is left alone")
}
