package workflow

import "fmt"

// Problem is something in a template that can't be run here. Path is from the object
// on: "spec.templates[1].container.args[0]".
type Problem struct {
	Path    string
	Message string
}

func (p Problem) Error() string { return p.Path + ": " + p.Message }

type problems []Problem

func (ps *problems) add(path, format string, args ...any) {
	*ps = append(*ps, Problem{path, fmt.Sprintf(format, args...)})
}
