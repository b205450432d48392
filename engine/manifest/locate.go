package manifest

import "github.com/scanflow-k8s/scanflow/engine/mistake"

// Mistaken is a mistake about a field of this agent that reading the manifest can't find,
// such as a strategy that the policies don't have. Path is the field's, like
// "spec.strategies[1]"; line and column are those of its value, or of the nearest value
// around it that the manifest has.
func (a *Agent) Mistaken(path, message, fix string) mistake.Mistake {
	m := mistake.Mistake{File: a.File, Line: a.Line, Column: 1, Path: path, Message: message, Fix: fix}
	for p := root("").at(path); p != nil; p = p.parent {
		if _, value, there := p.find(a.node); there {
			m.Line, m.Column = value.Line, value.Column
			break
		}
	}
	return m
}
