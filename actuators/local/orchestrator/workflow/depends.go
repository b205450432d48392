package workflow

import (
	"fmt"
	"strings"
)

// needs returns the tasks that must succeed before this one starts.
func (t *Task) needs() ([]string, error) {
	if t.Depends == "" {
		return t.Dependencies, nil
	}
	var out []string
	for part := range strings.SplitSeq(t.Depends, "&&") {
		name := strings.TrimSuffix(strings.TrimSpace(part), ".Succeeded")
		if !taskName.MatchString(name) {
			return nil, fmt.Errorf("%q can't be honoured here; only names of tasks joined by && can, as in A && B.Succeeded", t.Depends)
		}
		out = append(out, name)
	}
	return out, nil
}
