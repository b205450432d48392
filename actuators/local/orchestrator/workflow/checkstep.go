package workflow

import (
	"fmt"
	"maps"
	"regexp"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/scanflow-k8s/scanflow/actuators/local/orchestrator/pod"
)

// filePaths returns the container paths of a template's inputs and outputs, by the
// reference that resolves to their path here.
func (t *StepTemplate) filePaths() map[string]string {
	out := map[string]string{}
	for _, a := range t.Inputs.Artifacts {
		out["inputs.artifacts."+a.Name+".path"] = a.Path
	}
	for _, a := range t.Outputs.Artifacts {
		out["outputs.artifacts."+a.Name+".path"] = a.Path
	}
	for _, p := range t.Outputs.Parameters {
		if p.ValueFrom != nil {
			out["outputs.parameters."+p.Name+".path"] = p.ValueFrom.Path
		}
	}
	return out
}

// referenceFields returns the fields of a container that may hold references, with their
// paths.
func referenceFields(c *corev1.Container) (paths []string, fields []*string) {
	add := func(path string, field *string) { paths, fields = append(paths, path), append(fields, field) }
	for i := range c.Command {
		add(fmt.Sprintf("command[%d]", i), &c.Command[i])
	}
	for i := range c.Args {
		add(fmt.Sprintf("args[%d]", i), &c.Args[i])
	}
	for i := range c.Env {
		add(fmt.Sprintf("env[%d].value", i), &c.Env[i].Value)
	}
	add("workingDir", &c.WorkingDir)
	return paths, fields
}

func (c *checker) container(at string, t *StepTemplate) {
	for _, p := range pod.Check(&corev1.PodSpec{Containers: []corev1.Container{*t.Container}}) {
		c.add(at+".container"+strings.TrimPrefix(p.Path, "containers[0]"), "%s", p.Message)
	}
	known := maps.Clone(c.workflow)
	for _, p := range t.Inputs.Parameters {
		known["inputs.parameters."+p.Name] = ""
	}
	files := t.filePaths()
	for name := range files {
		known[name] = ""
	}
	used := map[string]bool{}
	paths, fields := referenceFields(t.Container)
	for i, field := range fields {
		at := at + ".container." + paths[i]
		if why := known.check(*field, nil); why != "" {
			c.add(at, "%s", why)
		}
		for _, name := range references(*field) {
			used[name] = true
		}
		for name, path := range files {
			if mentions(*field, path) {
				used[name] = true
				c.add(at, "writes out the path %s, where only a container has it: a process finds the file in the run's folder; write {{%s}} for it", path, name)
			}
		}
	}
	c.stepFiles(at, t, used)
	c.retries(at+".retryStrategy", t.RetryStrategy)
	if d := t.ActiveDeadlineSeconds; d != nil && (d.Type != intstr.Int || d.IntVal < 1) {
		c.add(at+".activeDeadlineSeconds", "%s is not a number of seconds, 1 or more", d.String())
	}
}

// mentions reports whether a text contains a path outside of its references, and not only
// as a prefix of a longer path.
func mentions(text, path string) bool {
	if path == "" {
		return false
	}
	text = reference.ReplaceAllString(text, "\x00")
	return regexp.MustCompile(regexp.QuoteMeta(path) + `($|[^-\w./])`).MatchString(text)
}

// stepFiles checks that each file has a path, as a cluster requires, and is referenced.
func (c *checker) stepFiles(at string, t *StepTemplate, used map[string]bool) {
	requireReference := func(at, name string) {
		if !used[name] {
			c.add(at, "nothing tells the program where the file lies here, as it is in the run's folder; write {{%s}} in its command, args or env", name)
		}
	}
	for i, p := range t.Outputs.Parameters {
		at := fmt.Sprintf("%s.outputs.parameters[%d].valueFrom", at, i)
		switch {
		case p.ValueFrom == nil || p.ValueFrom.Path == "":
			c.add(at, "must have the path of the file that the program writes the value into")
			continue
		case p.ValueFrom.Parameter != "":
			c.add(at+".parameter", "is for a dag; a container's output comes from a file")
		}
		requireReference(at+".path", "outputs.parameters."+p.Name+".path")
	}
	for _, list := range []struct {
		side      string
		artifacts []Artifact
	}{{"inputs", t.Inputs.Artifacts}, {"outputs", t.Outputs.Artifacts}} {
		for i, a := range list.artifacts {
			at := fmt.Sprintf("%s.%s.artifacts[%d]", at, list.side, i)
			if a.From != "" {
				c.add(at+".from", "is for a task's arguments, and for the outputs of a dag")
			}
			if a.Path == "" {
				c.add(at+".path", "is missing; a container needs it on a cluster")
				continue
			}
			requireReference(at+".path", list.side+".artifacts."+a.Name+".path")
		}
	}
}

func (c *checker) retries(at string, s *RetryStrategy) {
	if s == nil {
		return
	}
	if _, err := s.limit(); err != nil {
		c.add(at+".limit", "%v", err)
	}
	if _, _, err := s.policy(); err != nil {
		c.add(at+".retryPolicy", "%v", err)
	}
	if s.Backoff == nil {
		return
	}
	for _, d := range []struct{ field, text string }{{"duration", s.Backoff.Duration}, {"cap", s.Backoff.Cap}, {"maxDuration", s.Backoff.MaxDuration}} {
		if _, err := duration(d.text); err != nil {
			c.add(at+".backoff."+d.field, "%v", err)
		}
	}
	if s.Backoff.Duration == "" {
		c.add(at+".backoff.duration", "is missing; say how long to wait before the second attempt")
	}
	if _, err := s.Backoff.factor(); err != nil {
		c.add(at+".backoff.factor", "%v", err)
	}
}
