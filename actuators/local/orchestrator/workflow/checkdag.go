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
	known, hints := maps.Clone(d.workflow), map[string]string{}
	for _, p := range d.template.Inputs.Parameters {
		known["inputs.parameters."+p.Name] = ""
	}
	for name, task := range d.tasks {
		of := d.spec.template(task.Template)
		if of == nil {
			known["tasks."+name+anyOutput] = "" // reported by task
			continue
		}
		for _, p := range of.Outputs.Parameters {
			at := "tasks." + name + ".outputs.parameters." + p.Name
			if ended[name] {
				known[at] = ""
			} else {
				hints[at] = fmt.Sprintf("%s does not wait for task %s; name that in its dependencies", who, name)
			}
		}
	}
	return known, hints
}

// task checks one use of a template.
func (d *dagChecker) task(at string, t *Task) {
	of := d.spec.template(t.Template)
	if of == nil {
		d.add(at+".template", "there is no template %q; there are: %s", t.Template, d.templateNames())
		return
	}
	known, hints := d.visible(d.ancestors[t.Name], "task "+t.Name)
	given := map[string]bool{}
	for i, p := range t.Arguments.Parameters {
		at := fmt.Sprintf("%s.arguments.parameters[%d]", at, i)
		given[p.Name] = true
		in := slices.IndexFunc(of.Inputs.Parameters, func(in Parameter) bool { return in.Name == p.Name })
		if in < 0 {
			d.add(at+".name", "template %s has no input parameter %q", of.Name, p.Name)
		}
		if p.Value == nil {
			d.add(at+".value", "is missing")
			continue
		}
		if why := known.check(string(*p.Value), hints); why != "" {
			d.add(at+".value", "%s", why)
		}
		if in >= 0 && !strings.Contains(string(*p.Value), "{{") && !of.Inputs.Parameters[in].allows(*p.Value) {
			d.add(at+".value", "%q is none of the enum of template %s: %s", *p.Value, of.Name, enumText(of.Inputs.Parameters[in].Enum))
		}
	}
	for _, p := range of.Inputs.Parameters {
		if !given[p.Name] && p.Value == nil && p.Default == nil {
			d.add(at+".arguments", "template %s takes a parameter %s, which has no value; give it one", of.Name, p.Name)
		}
	}
	d.artifacts(at, t, of)
	c := d.checker
	names := parameterNames(t.Arguments.Parameters)
	c.unique(at+".arguments.parameters", len(names), func(i int) string { return names[i] }, parameterName, parameterNameRule)
}

// artifacts checks the artifact arguments of a task.
func (d *dagChecker) artifacts(at string, t *Task, of *StepTemplate) {
	given := map[string]bool{}
	for i, a := range t.Arguments.Artifacts {
		at := fmt.Sprintf("%s.arguments.artifacts[%d]", at, i)
		given[a.Name] = true
		if !slices.ContainsFunc(of.Inputs.Artifacts, func(in Artifact) bool { return in.Name == a.Name }) {
			d.add(at+".name", "template %s has no input artifact %q", of.Name, a.Name)
		}
		d.from(at+".from", a.From, d.ancestors[t.Name], "task "+t.Name)
	}
	for _, a := range of.Inputs.Artifacts {
		if !given[a.Name] && !a.Optional {
			d.add(at+".arguments", "template %s takes an artifact %s; say from where, as from: \"{{tasks.TASK.outputs.artifacts.NAME}}\"", of.Name, a.Name)
		}
	}
	names := artifactNames(t.Arguments.Artifacts)
	d.unique(at+".arguments.artifacts", len(names), func(i int) string { return names[i] }, parameterName, parameterNameRule)
}

// from checks an artifact's from field, which must be exactly one reference.
func (d *dagChecker) from(at, text string, ended map[string]bool, who string) {
	known, hints := scope{}, map[string]string{}
	for _, a := range d.template.Inputs.Artifacts {
		known["inputs.artifacts."+a.Name] = ""
	}
	for name, task := range d.tasks {
		of := d.spec.template(task.Template)
		if of == nil {
			known["tasks."+name+anyOutput] = "" // reported by task
			continue
		}
		for _, a := range of.Outputs.Artifacts {
			at := "tasks." + name + ".outputs.artifacts." + a.Name
			if ended[name] {
				known[at] = ""
			} else {
				hints[at] = fmt.Sprintf("%s does not wait for task %s; name that in its dependencies", who, name)
			}
		}
	}
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
