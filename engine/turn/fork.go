package turn

import (
	"maps"
	"slices"

	"github.com/scanflow-k8s/scanflow/engine"
)

// Fork returns an agent that continues from a copy of this one: its turns see the books, the
// last values and the standing proposals as they are now, and change none of them. Its sensors
// are those given, in the order of the spec.
func (a *Agent) Fork(sensors []engine.SensorSpec) *Agent {
	out := *a
	out.Spec.Sensors = sensors
	out.Memory, out.Claims, out.Approvals = a.Memory.Clone(), a.Claims.Clone(), a.Approvals.Clone()
	out.missing = maps.Clone(a.missing)
	out.targets = make(map[engine.TargetID]*target, len(a.targets))
	for id, s := range a.targets {
		out.targets[id] = s.fork(&out)
	}
	return &out
}

// fork returns a copy for another agent. What an evaluation of a strategy returned is
// replaced, never changed in place.
func (s *target) fork(of *Agent) *target {
	out := *s
	out.doc.Agent, out.doc.Sections = &of.Spec.AgentInfo, nil
	out.doc.Signals = slices.Clone(s.doc.Signals)
	out.last, out.totals, out.held = slices.Clone(s.last), slices.Clone(s.totals), forkHeld(s.held)
	out.basis.signals = slices.Clone(s.basis.signals)
	out.results, out.rules = slices.Clone(s.results), maps.Clone(s.rules)
	return &out
}
