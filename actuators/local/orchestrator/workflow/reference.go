package workflow

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// reference matches Argo Workflows' references, which are names between {{ and }}:
//
//	workflow.name  workflow.namespace  workflow.uid  workflow.parameters.NAME
//	inputs.parameters.NAME         inputs.artifacts.NAME.path     (of a container)
//	outputs.parameters.NAME.path   outputs.artifacts.NAME.path    (of a container)
//	inputs.artifacts.NAME                                         (in `from` of a dag)
//	tasks.TASK.outputs.parameters.NAME   tasks.TASK.outputs.artifacts.NAME   (in a dag)
var reference = regexp.MustCompile(`(?s)\{\{(.*?)\}\}`)

// references returns the names that a text refers to.
func references(text string) []string {
	var out []string
	for _, m := range reference.FindAllStringSubmatch(text, -1) {
		out = append(out, strings.TrimSpace(m[1]))
	}
	return out
}

// scope maps the names that can be referred to in one place to their values.
type scope map[string]string

// substitute replaces the references by their values, not recursively.
func (s scope) substitute(text string) (string, error) {
	var missing []string
	out := reference.ReplaceAllStringFunc(text, func(m string) string {
		name := strings.TrimSpace(m[2 : len(m)-2])
		value, ok := s[name]
		if !ok {
			missing = append(missing, name)
		}
		return value
	})
	if len(missing) > 0 {
		return "", fmt.Errorf("{{%s}} has no value", strings.Join(missing, "}}, {{"))
	}
	return out, nil
}

// check returns the first mistake in the references of a text; "" if there is none. hints
// explain why a name can't be referred to here.
func (s scope) check(text string, hints map[string]string) string {
	rest := reference.ReplaceAllString(text, "")
	if strings.Contains(rest, "{{") {
		return "has a {{ without its }}"
	}
	for _, name := range references(text) {
		if s.has(name) {
			continue
		}
		return fmt.Sprintf("{{%s}}: %s", name, s.explain(name, hints))
	}
	return ""
}

// anyOutput, after "tasks.TASK", permits any output of a task whose template is unknown.
const anyOutput = ".**"

func (s scope) has(name string) bool {
	_, ok := s[name]
	if parts := strings.SplitN(name, ".", 3); !ok && len(parts) == 3 {
		_, ok = s[parts[0]+"."+parts[1]+anyOutput]
	}
	return ok
}

func (s scope) explain(name string, hints map[string]string) string {
	if hint, ok := hints[name]; ok {
		return hint
	}
	switch {
	case strings.HasPrefix(name, "="):
		return "expressions are not evaluated here; write a plain reference, or do it in a step"
	case strings.HasSuffix(name, ".outputs.result"):
		return "what a step prints is only in its log here; have it write a file, and give that as an output parameter (valueFrom.path)"
	}
	known := slices.Sorted(maps.Keys(s))
	return "names nothing that there is here; there are: " + strings.Join(known, ", ")
}
