package turn

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/engine"
)

func TestFaultsAreRecordedWhenTheyChange(t *testing.T) {
	fault := func(target, signal string, state engine.State) engine.SignalFault {
		return engine.SignalFault{Target: engine.TargetID{Namespace: "ns", Name: target}, Signal: signal, State: state, Problem: "why"}
	}
	always, never := func(engine.TargetID) bool { return true }, func(string) bool { return false }
	var f faultyOnes
	for i, turn := range []struct {
		now  []engine.SignalFault
		want []string
	}{
		{nil, nil},
		{[]engine.SignalFault{fault("a", "load", engine.Error)}, []string{"signal load of ns/a: error: why"}},
		{[]engine.SignalFault{fault("a", "load", engine.Error)}, nil},
		{[]engine.SignalFault{fault("a", "load", engine.Empty), fault("b", "load", engine.Error)}, []string{"signal load of ns/a: empty: why", "signal load of ns/b: error: why"}},
		{[]engine.SignalFault{fault("b", "load", engine.Error)}, []string{"signal load of ns/a is ok again"}},
		{nil, []string{"signal load of ns/b is ok again"}},
	} {
		got, more := f.changes(turn.now, always, never)
		var texts []string
		for _, g := range got {
			texts = append(texts, g.String())
		}
		require.Equal(t, turn.want, texts, i)
		require.Zero(t, more)
	}
	var all []engine.SignalFault
	for i := range 70 {
		all = append(all, fault(fmt.Sprint(i), "load", engine.Error))
	}
	got, more := f.changes(all, always, never)
	require.Len(t, got, maxFaults)
	require.Equal(t, 20, more)
	got, more = f.changes(nil, always, never)
	require.Len(t, got, maxFaults, "those that were not recorded have passed too")
	require.Equal(t, 20, more)
}

// Nothing is said to be ok again that was not measured again.
func TestFaultsOfWhatIsGone(t *testing.T) {
	id := engine.TargetID{Namespace: "ns", Name: "a"}
	load := []engine.SignalFault{{Target: id, Signal: "load", State: engine.Empty}}
	for name, c := range map[string]struct {
		there, failed bool
		then          int // changes once it is measured, and as it was
	}{
		"the target is gone":       {false, false, 1},
		"the sensor failed wholly": {true, true, 0},
	} {
		var f faultyOnes
		there, failed := func(engine.TargetID) bool { return c.there }, func(string) bool { return c.failed }
		got, _ := f.changes(load, there, failed)
		require.Len(t, got, 1, name)
		got, _ = f.changes(nil, there, failed)
		require.Empty(t, got, name)
		got, _ = f.changes(load, there, failed)
		require.Len(t, got, c.then, name)
	}
}
