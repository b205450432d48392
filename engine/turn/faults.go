package turn

import (
	"slices"
	"strings"

	"github.com/scanflow-k8s/scanflow/engine"
)

// maxFaults bounds the faults that one record has.
const maxFaults = 50

// faultyOnes are the signals that were not OK in the last turn, by target and name: a record
// has a fault when it begins and when it has passed, and not at each turn between.
type faultyOnes map[faultKey]engine.State

type faultKey struct {
	target engine.TargetID
	signal string
}

// changes returns what is new about the faults, and how many more there are than a record may
// have. It remembers the faults for the next turn. there reports whether a target is in the fleet,
// and failed whether the sensor of a signal failed for all targets.
func (f *faultyOnes) changes(now []engine.SignalFault, there func(engine.TargetID) bool, failed func(string) bool) (out []engine.SignalFault, more int) {
	before := *f
	*f = make(faultyOnes, len(now))
	for _, fault := range now {
		key := faultKey{fault.Target, fault.Signal}
		(*f)[key] = fault.State
		if before[key] != fault.State {
			fault.Problem = engine.Clip(fault.Problem)
			out = append(out, fault)
		}
	}
	var passed []engine.SignalFault
	for key, state := range before {
		_, still := (*f)[key]
		switch {
		case still || !there(key.target):
		case failed(key.signal):
			(*f)[key] = state
		default:
			passed = append(passed, engine.SignalFault{Target: key.target, Signal: key.signal, State: engine.OK})
		}
	}
	slices.SortFunc(passed, func(a, b engine.SignalFault) int { return strings.Compare(a.String(), b.String()) })
	out = append(out, passed...)
	more = max(len(out)-maxFaults, 0)
	return out[:len(out)-more], more
}
