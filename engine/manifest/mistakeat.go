package manifest

import "github.com/scanflow-k8s/scanflow/engine/mistake"

// MistakeAt returns a mistake that is found after the manifest was read, such as a strategy
// that the policies don't have. path is like "spec.strategies[1]". The line and column are
// those of the value, or of the nearest value around it that the manifest has.
func (a *Agent) MistakeAt(path, message, fix string) mistake.Mistake {
	m := mistake.Mistake{File: a.File, Line: a.Line, Column: 1, Object: a.object, Path: path, Message: message, Fix: fix}
	for p := root("").at(path); p != nil; p = p.parent {
		if _, value, there := p.find(a.node); there {
			m.Line, m.Column = value.Line, value.Column
			break
		}
	}
	return m
}
