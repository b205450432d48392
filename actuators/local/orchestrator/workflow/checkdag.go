package workflow

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// dagChecker checks one dag template.
type dagChecker struct {
	*checker
	template  *StepTemplate
	tasks     map[string]*Task
	needs     map[string][]string        // direct dependencies by task
	ancestors map[string]map[string]bool // direct and transitive dependencies by task
}

func (c *checker) dag(at string, t *StepTemplate) {
	for _, only := range []struct {
		field string
		set   bool
	}{{"retryStrategy", t.RetryStrategy != nil}, {"activeDeadlineSeconds", t.ActiveDeadlineSeconds != nil}} {
		if only.set {
			c.add(at+"."+only.field, "is for container templates here; write it on those that the tasks use")
		}
	}
	for i, a := range t.Inputs.Artifacts {
		if a.From != "" {
			c.add(fmt.Sprintf("%s.inputs.artifacts[%d].from", at, i), "is for arguments; inputs get their artifacts from the task that uses the template")
		}
	}
	d := &dagChecker{checker: c, template: t, tasks: map[string]*Task{}, needs: map[string][]string{}, ancestors: map[string]map[string]bool{}}
	at += ".dag.tasks"
	if len(t.DAG.Tasks) == 0 {
		c.add(at, "is empty")
	}
	c.unique(at, len(t.DAG.Tasks), func(i int) string { return t.DAG.Tasks[i].Name }, taskName, taskNameRule)
	for i := range t.DAG.Tasks {
		d.tasks[t.DAG.Tasks[i].Name] = &t.DAG.Tasks[i]
	}
	for i := range t.DAG.Tasks {
		d.dependencies(fmt.Sprintf("%s[%d]", at, i), &t.DAG.Tasks[i])
	}
	d.cycles(at)
	for i := range t.DAG.Tasks {
		d.task(fmt.Sprintf("%s[%d]", at, i), &t.DAG.Tasks[i])
	}
	d.outputs(strings.TrimSuffix(at, ".dag.tasks") + ".outputs")
}

// dependencies checks the dependencies of a task.
func (d *dagChecker) dependencies(at string, t *Task) {
	field := at + ".dependencies"
	if t.Depends != "" {
		field = at + ".depends"
		if len(t.Dependencies) > 0 {
			d.add(field, "is set beside dependencies; keep one of them")
		}
	}
	names, err := t.needs()
	if err != nil {
		d.add(field, "%v", err)
	}
	for _, name := range names {
		switch {
		case d.tasks[name] == nil:
			d.add(field, "there is no task %q; there are: %s", name, strings.Join(slices.Sorted(maps.Keys(d.tasks)), ", "))
		case !slices.Contains(d.needs[t.Name], name):
			d.needs[t.Name] = append(d.needs[t.Name], name)
		}
	}
}

// cycles reports dependency cycles, and fills in ancestors.
func (d *dagChecker) cycles(at string) {
	reported := map[string]bool{}
	var visit func(name string, path []string) map[string]bool
	visit = func(name string, path []string) map[string]bool {
		if from := slices.Index(path, name); from >= 0 {
			circle := path[from:]
			if key := strings.Join(slices.Sorted(slices.Values(circle)), ","); !reported[key] {
				reported[key] = true
				d.add(at, "tasks wait for each other in a circle: %s", strings.Join(append(slices.Clone(circle), name), " -> "))
			}
			return nil
		}
		if known, done := d.ancestors[name]; done {
			return known
		}
		all := map[string]bool{}
		for _, need := range d.needs[name] {
			all[need] = true
			maps.Copy(all, visit(need, append(slices.Clone(path), name)))
		}
		d.ancestors[name] = all
		return all
	}
	for i := range d.template.DAG.Tasks {
		visit(d.template.DAG.Tasks[i].Name, nil)
	}
}

// visible returns the references that are valid once the given tasks have ended, and a
// hint for each output of the other tasks.
func (d *dagChecker) visible(ended map[string]bool, who string) (scope, map[string]string) {
	known := maps.Clone(d.workflow)
	for _, p := range d.template.Inputs.Parameters {
		known["inputs.parameters."+p.Name] = ""
	}
	return known, d.addOutputs(known, "parameters", func(o Outputs) []string { return parameterNames(o.Parameters) }, ended, who)
}

// addOutputs adds the outputs of the tasks that have ended to known, and returns a hint for
// each output of the other tasks.
func (d *dagChecker) addOutputs(known scope, kind string, names func(Outputs) []string, ended map[string]bool, who string) (hints map[string]string) {
	hints = map[string]string{}
	for task := range d.tasks {
		template := d.spec.template(d.tasks[task].Template)
		if template == nil {
			known["tasks."+task+anyOutput] = "" // reported by task
			continue
		}
		for _, name := range names(template.Outputs) {
			ref := "tasks." + task + ".outputs." + kind + "." + name
			if ended[task] {
				known[ref] = ""
			} else {
				hints[ref] = fmt.Sprintf("%s does not wait for task %s; name that in its dependencies", who, task)
			}
		}
	}
	return hints
}

// task checks one use of a template.
func (d *dagChecker) task(at string, t *Task) {
	template := d.spec.template(t.Template)
	if template == nil {
		d.add(at+".template", "there is no template %q; there are: %s", t.Template, d.templateNames())
		return
	}
	known, hints := d.visible(d.ancestors[t.Name], "task "+t.Name)
	given := map[string]bool{}
	for i, p := range t.Arguments.Parameters {
		at := fmt.Sprintf("%s.arguments.parameters[%d]", at, i)
		given[p.Name] = true
		in := slices.IndexFunc(template.Inputs.Parameters, func(in Parameter) bool { return in.Name == p.Name })
		if in < 0 {
			d.add(at+".name", "template %s has no input parameter %q", template.Name, p.Name)
		}
		if p.Value == nil {
			d.add(at+".value", "is missing")
			continue
		}
		if why := known.check(string(*p.Value), hints); why != "" {
			d.add(at+".value", "%s", why)
		}
		if in >= 0 && !strings.Contains(string(*p.Value), "{{") && !template.Inputs.Parameters[in].allows(*p.Value) {
			d.add(at+".value", "%q is none of the enum of template %s: %s", *p.Value, template.Name, enumText(template.Inputs.Parameters[in].Enum))
		}
	}
	for _, p := range template.Inputs.Parameters {
		if !given[p.Name] && p.Value == nil && p.Default == nil {
			d.add(at+".arguments", "template %s takes a parameter %s, which has no value; give it one", template.Name, p.Name)
		}
	}
	d.artifacts(at, t, template)
	c := d.checker
	names := parameterNames(t.Arguments.Parameters)
	c.unique(at+".arguments.parameters", len(names), func(i int) string { return names[i] }, parameterName, parameterNameRule)
}

// artifacts checks the artifact arguments of a task.
func (d *dagChecker) artifacts(at string, t *Task, template *StepTemplate) {
	given := map[string]bool{}
	for i, a := range t.Arguments.Artifacts {
		at := fmt.Sprintf("%s.arguments.artifacts[%d]", at, i)
		given[a.Name] = true
		if !slices.ContainsFunc(template.Inputs.Artifacts, func(in Artifact) bool { return in.Name == a.Name }) {
			d.add(at+".name", "template %s has no input artifact %q", template.Name, a.Name)
		}
		d.from(at+".from", a.From, d.ancestors[t.Name], "task "+t.Name)
	}
	for _, a := range template.Inputs.Artifacts {
		if !given[a.Name] && !a.Optional {
			d.add(at+".arguments", "template %s takes an artifact %s; say from where, as from: \"{{tasks.TASK.outputs.artifacts.NAME}}\"", template.Name, a.Name)
		}
	}
	names := artifactNames(t.Arguments.Artifacts)
	d.unique(at+".arguments.artifacts", len(names), func(i int) string { return names[i] }, parameterName, parameterNameRule)
}

// from checks an artifact's from field, which must be exactly one reference.
func (d *dagChecker) from(at, text string, ended map[string]bool, who string) {
	known := scope{}
	for _, a := range d.template.Inputs.Artifacts {
		known["inputs.artifacts."+a.Name] = ""
	}
	hints := d.addOutputs(known, "artifacts", func(o Outputs) []string { return artifactNames(o.Artifacts) }, ended, who)
	if len(references(text)) != 1 || reference.FindString(text) != text {
		d.add(at, "must be one reference, as \"{{tasks.TASK.outputs.artifacts.NAME}}\"")
		return
	}
	if why := known.check(text, hints); why != "" {
		d.add(at, "%s", why)
	}
}

// outputs checks the outputs of the dag, each of which comes from a task.
func (d *dagChecker) outputs(at string) {
	all := map[string]bool{}
	for name := range d.tasks {
		all[name] = true
	}
	known, hints := d.visible(all, "")
	for i, p := range d.template.Outputs.Parameters {
		at := fmt.Sprintf("%s.parameters[%d]", at, i)
		if p.ValueFrom == nil || p.ValueFrom.Parameter == "" || p.ValueFrom.Path != "" {
			d.add(at+".valueFrom", "a dag's output comes from a task: write parameter: \"{{tasks.TASK.outputs.parameters.NAME}}\"")
			continue
		}
		if why := known.check(p.ValueFrom.Parameter, hints); why != "" {
			d.add(at+".valueFrom.parameter", "%s", why)
		}
	}
	for i, a := range d.template.Outputs.Artifacts {
		d.from(fmt.Sprintf("%s.artifacts[%d].from", at, i), a.From, all, "")
	}
}
