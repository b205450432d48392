package workflow

import "fmt"

// Problem is a mistake in a template, or a field that can't be honoured here. Path starts
// at the object: "spec.templates[1].container.args[0]".
type Problem struct {
	Path    string
	Message string
}

func (p Problem) Error() string { return p.Path + ": " + p.Message }

type problems []Problem

func (ps *problems) add(path, format string, args ...any) {
	*ps = append(*ps, Problem{path, fmt.Sprintf(format, args...)})
}
