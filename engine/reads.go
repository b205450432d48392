package engine

import "slices"

// Reads is the part of a document that a set of strategies reads. The agent and its params
// are left out: they never change while the agent runs.
type Reads struct {
	// Now is set where a strategy reads now_ns or an age_ns: such a strategy is never skipped.
	Now     bool
	Trigger bool
	// ForTrigger is set where a propose rule reads the trigger: what it proposes is for that.
	ForTrigger bool
	Target     TargetFields
	// Memory are the strategies whose memory is read, Claims the claims.
	Memory, Claims Keys
	// AllSignals is set where the text does not determine which signals are read.
	AllSignals bool
	// AllFields are the fields that are read of such a signal.
	AllFields SignalFields
	// Signals are the signals that are read by name, each with the fields.
	Signals map[string]SignalFields
}

// SignalFields is a set of fields of a signal. The age is not one of them: it changes with
// the time.
type SignalFields uint8

// The fields of a signal.
const (
	SignalState SignalFields = 1 << iota
	SignalValue
	SignalLast
	SignalWindow
	SignalSince
	SignalSustained
	SignalMissing

	AllSignalFields = SignalState | SignalValue | SignalLast | SignalWindow | SignalSince | SignalSustained | SignalMissing
)

// TargetFields is a set of fields of a target that may change. Its kind, namespace and name
// are its identity.
type TargetFields uint8

// The fields of a target.
const (
	TargetAPIVersion TargetFields = 1 << iota
	TargetLabels
	TargetDesired // replicas.desired
	TargetReady   // replicas.ready
	TargetPlacement
	TargetModel
	TargetPods

	AllTargetFields = TargetAPIVersion | TargetLabels | TargetDesired | TargetReady | TargetPlacement | TargetModel | TargetPods
)

// Keys is a set of keys of an object.
type Keys struct {
	// All is set where the text does not determine the keys.
	All   bool
	Names []string // sorted
}

// None reports whether the set is empty.
func (k Keys) None() bool { return !k.All && len(k.Names) == 0 }

// With returns the set with a key.
func (k Keys) With(name string) Keys {
	if i, has := slices.BinarySearch(k.Names, name); !has {
		k.Names = slices.Insert(slices.Clone(k.Names), i, name)
	}
	return k
}

// Union returns the keys of both sets.
func (k Keys) Union(o Keys) Keys {
	k.All = k.All || o.All
	for _, name := range o.Names {
		k = k.With(name)
	}
	return k
}
