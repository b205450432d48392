package engine

import (
	"cmp"
	"fmt"
	"slices"
)

// SignalHealth summarizes the signals of one sensor that are not OK, in one firing.
type SignalHealth struct {
	Sensor string
	// State is the worst of them, in the order of States.
	State State
	// Targets counts the targets whose signal is not OK, in any state.
	Targets int
	// First is the first target in State, in the fleet's order, and Problem its problem.
	First   TargetID
	Problem string
	// Whole is set where the sensor failed for all targets at once. The firing's Problems
	// say so too.
	Whole bool
}

// SignalFault is one signal that is not OK, or that is OK again.
type SignalFault struct {
	Target  TargetID `json:"target"`
	Signal  string   `json:"signal"`
	State   State    `json:"state"`
	Problem string   `json:"problem,omitempty"`
}

// String says what is wrong, in a line.
func (f SignalFault) String() string {
	text := fmt.Sprintf("signal %s of %s", f.Signal, f.Target)
	if f.State == OK {
		return text + " is ok again"
	}
	text += ": " + string(f.State)
	if f.Problem != "" {
		text += ": " + f.Problem
	}
	return text
}

// Why returns the signal's Problem, or the meaning of its state where the sensor gave
// none; "" in state OK.
func (s *Signal) Why() string {
	switch s.State {
	case Empty:
		return cmp.Or(s.Problem, "nothing was measured")
	case NaN:
		return cmp.Or(s.Problem, "the value is not a number")
	}
	return s.Problem
}

// Add counts the signal of a target that is not OK.
func (h *SignalHealth) Add(s *Signal, id TargetID) {
	h.Targets++
	if slices.Index(States, s.State) > slices.Index(States, h.State) {
		h.State, h.First, h.Problem = s.State, id, s.Why()
	}
}
