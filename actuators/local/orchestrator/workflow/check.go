package workflow

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/scanflow-k8s/scanflow/engine/mistake"
)

// Names become parts of file names, so that these patterns must exclude path separators.
var (
	taskName      = regexp.MustCompile(`^[a-zA-Z0-9][-a-zA-Z0-9]*$`) // of tasks and templates
	parameterName = regexp.MustCompile(`^[-a-zA-Z0-9_]+$`)           // of parameters and artifacts
)

const (
	taskNameRule      = "letters, digits and dashes"
	parameterNameRule = "letters, digits, dashes and underscores"
)

// Check returns a mistake for everything in a template that can't be run here: missing
// fields, unresolved references, cycles, and what requires the isolation of a container.
// It doesn't check the placement.
func Check(t *Template) mistake.Mistakes {
	c := &checker{spec: &t.Spec, workflow: scope{"workflow.name": "", "workflow.namespace": "", "workflow.uid": ""}}
	c.arguments()
	c.unique("spec.templates", len(c.spec.Templates), func(i int) string { return c.spec.Templates[i].Name }, taskName, taskNameRule)
	for i := range c.spec.Templates {
		c.template(fmt.Sprintf("spec.templates[%d]", i), &c.spec.Templates[i])
	}
	c.entrypoint()
	if c.spec.ActiveDeadlineSeconds != nil && *c.spec.ActiveDeadlineSeconds < 1 {
		c.add("spec.activeDeadlineSeconds", "%d is below 1", *c.spec.ActiveDeadlineSeconds)
	}
	if c.spec.Parallelism != nil && *c.spec.Parallelism < 1 {
		c.add("spec.parallelism", "%d is below 1", *c.spec.Parallelism)
	}
	if len(c.problems) == 0 {
		c.stepCount()
	}
	return mistake.Mistakes(c.problems)
}

type checker struct {
	problems
	spec     *Spec
	workflow scope // the references that are valid in every template
}

func (c *checker) arguments() {
	const at = "spec.arguments.parameters"
	list := c.spec.Arguments.Parameters
	c.unique(at, len(list), func(i int) string { return list[i].Name }, parameterName, parameterNameRule)
	for i, p := range list {
		at := fmt.Sprintf("%s[%d]", at, i)
		c.defaults(at, p, scope{})
		c.workflow["workflow.parameters."+p.Name] = ""
	}
	if len(c.spec.Arguments.Artifacts) > 0 {
		c.add("spec.arguments.artifacts", "a run is given parameters only; have its first step fetch the files")
	}
}

// unique checks the names of a list.
func (c *checker) unique(at string, n int, name func(int) string, form *regexp.Regexp, rule string) {
	seen := map[string]bool{}
	for i := range n {
		at := fmt.Sprintf("%s[%d].name", at, i)
		switch {
		case name(i) == "":
			c.add(at, "is missing")
		case !form.MatchString(name(i)):
			c.add(at, "%q must be made of %s", name(i), rule)
		case seen[name(i)]:
			c.add(at, "%q is used twice", name(i))
		}
		seen[name(i)] = true
	}
}

// defaults checks a parameter's value and default.
func (c *checker) defaults(at string, p Parameter, known scope) {
	for _, v := range []struct {
		field string
		value *Text
	}{{"value", p.Value}, {"default", p.Default}} {
		if v.value == nil {
			continue
		}
		if why := known.check(string(*v.value), nil); why != "" {
			c.add(at+"."+v.field, "%s", why)
		}
		if !strings.Contains(string(*v.value), "{{") && !p.allows(*v.value) {
			c.add(at+"."+v.field, "%q is none of its enum: %s", *v.value, enumText(p.Enum))
		}
	}
	if p.Enum != nil && len(p.Enum) == 0 {
		c.add(at+".enum", "is empty, so that no value would do")
	}
}

// allows reports whether a value is valid for the parameter.
func (p *Parameter) allows(value Text) bool { return p.Enum == nil || slices.Contains(p.Enum, value) }

func enumText(enum []Text) string {
	out := make([]string, len(enum))
	for i, e := range enum {
		out[i] = string(e)
	}
	return strings.Join(out, ", ")
}

func (c *checker) template(at string, t *StepTemplate) {
	switch {
	case t.DAG != nil && t.Container != nil:
		c.add(at, "has a dag and a container; make them two templates")
	case t.DAG != nil:
		c.dag(at, t)
	case t.Container != nil:
		c.container(at, t)
	default:
		c.add(at, "has neither a dag nor a container, and no other kind of template is run here")
	}
	for i, p := range t.Inputs.Parameters {
		at := fmt.Sprintf("%s.inputs.parameters[%d]", at, i)
		c.defaults(at, p, c.workflow)
		if p.ValueFrom != nil {
			c.add(at+".valueFrom", "is for outputs; inputs get their values from the task's arguments")
		}
	}
	for _, list := range []struct {
		at    string
		names []string
	}{
		{"inputs.parameters", parameterNames(t.Inputs.Parameters)}, {"outputs.parameters", parameterNames(t.Outputs.Parameters)},
		{"inputs.artifacts", artifactNames(t.Inputs.Artifacts)}, {"outputs.artifacts", artifactNames(t.Outputs.Artifacts)},
	} {
		c.unique(at+"."+list.at, len(list.names), func(i int) string { return list.names[i] }, parameterName, parameterNameRule)
	}
}

func parameterNames(list []Parameter) (names []string) {
	for _, p := range list {
		names = append(names, p.Name)
	}
	return names
}

func artifactNames(list []Artifact) (names []string) {
	for _, a := range list {
		names = append(names, a.Name)
	}
	return names
}

// entrypoint checks the first template, whose parameters are the workflow's parameters of
// the same names.
func (c *checker) entrypoint() {
	const at = "spec.entrypoint"
	t := c.spec.template(c.spec.Entrypoint)
	switch {
	case c.spec.Entrypoint == "":
		c.add(at, "is missing; name the template to begin with")
		return
	case t == nil:
		c.add(at, "there is no template %q; there are: %s", c.spec.Entrypoint, c.templateNames())
		return
	}
	for _, p := range t.Inputs.Parameters {
		if _, given := c.workflow["workflow.parameters."+p.Name]; !given && p.Value == nil && p.Default == nil {
			c.add(at, "template %s takes a parameter %s, which is none of spec.arguments.parameters", t.Name, p.Name)
		}
	}
	for _, a := range t.Inputs.Artifacts {
		if !a.Optional {
			c.add(at, "template %s takes an artifact %s, and nothing gives one to the first template; have a step fetch it", t.Name, a.Name)
		}
	}
}

func (c *checker) templateNames() string {
	names := make([]string, len(c.spec.Templates))
	for i := range c.spec.Templates {
		names[i] = c.spec.Templates[i].Name
	}
	return strings.Join(names, ", ")
}

// maxSteps bounds the size of a run, which grows exponentially with nested templates.
const maxSteps = 500

// stepCount checks the number of steps, and that templates don't use each other in a cycle.
func (c *checker) stepCount() {
	counted := map[string]int{}
	var count func(name string, above []string) int
	count = func(name string, above []string) int {
		if slices.Contains(above, name) {
			t := slices.IndexFunc(c.spec.Templates, func(t StepTemplate) bool { return t.Name == above[len(above)-1] })
			c.add(fmt.Sprintf("spec.templates[%d].dag", t), "templates use each other in a circle: %s", strings.Join(append(above[slices.Index(above, name):], name), " -> "))
			return 0
		}
		if n, known := counted[name]; known {
			return n
		}
		t := c.spec.template(name)
		n := 1
		if t.DAG != nil {
			for _, task := range t.DAG.Tasks {
				n = min(n+count(task.Template, append(slices.Clone(above), name)), maxSteps+1)
			}
		}
		counted[name] = n
		return n
	}
	if n := count(c.spec.Entrypoint, nil); n > maxSteps {
		c.add("spec.entrypoint", "it comes to more than %d steps, with the templates that its tasks use", maxSteps)
	}
}
