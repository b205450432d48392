package local

import (
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

// modelWish is which model a Deployment's pods shall serve, in place of what its YAML
// says. It holds until the YAML says something new.
type modelWish struct {
	Fields []modelField `json:"fields"`
	// Version is the model's as documents show it, Declared what the YAML has there.
	Version  string `json:"version"`
	Declared string `json:"declared"`
}

// modelField is where a container is told its model.
type modelField struct {
	Container string `json:"container"`
	Env       string `json:"env,omitempty"`
	Argument  string `json:"argument,omitempty"` // how it begins
	Wanted    string `json:"wanted"`
	// Declared is what the YAML says, nil where it has no such variable.
	Declared *string `json:"declared"`
}

func (f *modelField) samePlace(o *modelField) bool {
	return f.Container == o.Container && f.Env == o.Env && f.Argument == o.Argument
}

// container finds the one that is meant; "" is the only one.
func containerOf(t *corev1.PodTemplateSpec, name string) (*corev1.Container, error) {
	for i := range t.Spec.Containers {
		if c := &t.Spec.Containers[i]; c.Name == name || name == "" {
			return c, nil // a pod has one container here
		}
	}
	return nil, fmt.Errorf("it has no container %q; it has %s", name, t.Spec.Containers[0].Name)
}

// value is what a template says now; nil where it has no such variable.
func (f *modelField) value(t *corev1.PodTemplateSpec) (*string, error) {
	c, err := containerOf(t, f.Container)
	if err != nil {
		return nil, err
	}
	if f.Env != "" {
		for i := range c.Env {
			switch {
			case c.Env[i].Name != f.Env:
			case c.Env[i].ValueFrom != nil:
				return nil, fmt.Errorf("container %s: its variable %s comes from somewhere else (valueFrom); give it a value", c.Name, f.Env)
			default:
				return &c.Env[i].Value, nil
			}
		}
		return nil, nil
	}
	for _, list := range [][]string{c.Args, c.Command} {
		for i := range list {
			if value, begins := strings.CutPrefix(list[i], f.Argument); begins {
				return &value, nil
			}
		}
	}
	return nil, fmt.Errorf("container %s: none of its arguments begins with %s: give it one, as %s%s", c.Name, f.Argument, f.Argument, f.Wanted)
}

// set writes a value where the template has it, or adds the variable.
func (f *modelField) set(t *corev1.PodTemplateSpec) {
	c, err := containerOf(t, f.Container)
	if err != nil {
		return // the YAML has overruled it
	}
	if f.Env != "" {
		setVariable(c, f.Env, f.Wanted)
		return
	}
	for _, list := range [][]string{c.Args, c.Command} {
		for i := range list {
			if strings.HasPrefix(list[i], f.Argument) {
				list[i] = f.Argument + f.Wanted
				return
			}
		}
	}
}

// apply writes the wish into a template.
func (w *modelWish) apply(t *corev1.PodTemplateSpec) {
	for i := range w.Fields {
		w.Fields[i].set(t)
	}
	if t.Annotations == nil {
		t.Annotations = map[string]string{}
	}
	t.Annotations[ModelAnnotation] = w.Version
}

// outdated tells whether the YAML says something else than when the wish was made.
func (w *modelWish) outdated(t *corev1.PodTemplateSpec) bool {
	if t.Annotations[ModelAnnotation] != w.Declared {
		return true
	}
	return slices.ContainsFunc(w.Fields, func(f modelField) bool {
		now, err := f.value(t)
		return err != nil || (now == nil) != (f.Declared == nil) || now != nil && *now != *f.Declared
	})
}

// with is the wish with a field and a version in place of those that it had. declared
// is the template of the YAML.
func (w *modelWish) with(f modelField, version string, declared *corev1.PodTemplateSpec) (*modelWish, error) {
	next := &modelWish{Version: version, Declared: declared.Annotations[ModelAnnotation]}
	now, err := f.value(declared)
	if err != nil {
		return nil, err
	}
	if now != nil {
		text := *now
		f.Declared = &text
	}
	if w != nil {
		for _, other := range w.Fields {
			if !other.samePlace(&f) {
				next.Fields = append(next.Fields, other)
			}
		}
	}
	next.Fields = append(next.Fields, f)
	return next, nil
}

// says tells whether the wish has a field and a version.
func (w *modelWish) says(f modelField, version string) bool {
	return w != nil && w.Version == version && slices.ContainsFunc(w.Fields, func(o modelField) bool { return o.samePlace(&f) && o.Wanted == f.Wanted })
}
