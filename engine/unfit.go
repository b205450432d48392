package engine

import (
	"cmp"
	"slices"
)

// Unfit is a sensor with signals that are not OK, in one firing.
type Unfit struct {
	Sensor string
	// State is the worst of them, in the order of States.
	State State
	// Targets counts the targets whose signal is not OK, in whatever state it is.
	Targets int
	// First is the first target, in the fleet's order, that is in State, and Problem why.
	First   TargetID
	Problem string
	// Whole says that the sensor failed for all targets at once, which is among the
	// firing's Problems too.
	Whole bool
}

// Fault is one signal that is not OK.
type Fault struct {
	Target  TargetID
	Signal  string
	State   State
	Problem string
}

// Why is the signal's Problem, or what its state means where the sensor gave none; ""
// in state OK.
func (s *Signal) Why() string {
	switch s.State {
	case Empty:
		return cmp.Or(s.Problem, "nothing was measured")
	case NaN:
		return cmp.Or(s.Problem, "the value is not a number")
	}
	return s.Problem
}

// add counts a target's signal that is not OK.
func (u *Unfit) add(s *Signal, id TargetID) {
	u.Targets++
	if slices.Index(States, s.State) > slices.Index(States, u.State) {
		u.State, u.First, u.Problem = s.State, id, s.Why()
	}
}

// unfit lists the sensors with signals that are not OK, in the agent's order. errs are
// those of the sensors that failed as a whole.
func (a *agent) unfit(slots []*slot, errs []error) []Unfit {
	var out []Unfit
	for i, name := range a.names {
		u := Unfit{Sensor: name, State: OK, Whole: errs[i] != nil}
		for _, s := range slots {
			if sig := &s.doc.Signals[i]; sig.State != OK {
				u.add(sig, s.doc.Target.ID())
			}
		}
		if u.Targets > 0 {
			out = append(out, u)
		}
	}
	return out
}

// faults are the signals that are not OK, by target in the fleet's order, but for those
// of sensors that failed as a whole: the firing's Problems say that once.
func (a *agent) faults(slots []*slot, unfit []Unfit) []Fault {
	var out []Fault
	for _, s := range slots {
		for i, name := range a.names {
			sig := &s.doc.Signals[i]
			whole := slices.ContainsFunc(unfit, func(u Unfit) bool { return u.Whole && u.Sensor == name })
			if sig.State != OK && !whole {
				out = append(out, Fault{Target: s.doc.Target.ID(), Signal: name, State: sig.State, Problem: sig.Why()})
			}
		}
	}
	return out
}
