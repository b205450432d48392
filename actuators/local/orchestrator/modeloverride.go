package orchestrator

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

// ErrModelChanged is the error of an undo after which the model was set again.
var ErrModelChanged = errors.New("the model was set by somebody else since, and is left alone")

// ModelOverride is the model that the pods of a Deployment serve in place of the YAML's.
// It holds until the YAML names another model.
type ModelOverride struct {
	Fields []ModelField `json:"fields"`
	// Version is the model's version in documents, Declared that in the YAML.
	Version  string `json:"version"`
	Declared string `json:"declared"`
}

// ModelField is the variable or argument that passes a container its model.
type ModelField struct {
	Container string `json:"container"`
	Env       string `json:"env,omitempty"`
	Argument  string `json:"argument,omitempty"` // its prefix
	Wanted    string `json:"wanted"`
	// Declared is the value in the YAML, nil where it has no such variable.
	Declared *string `json:"declared"`
}

func (f *ModelField) samePlace(o *ModelField) bool {
	return f.Container == o.Container && f.Env == o.Env && f.Argument == o.Argument
}

// containerOf finds a container; "" stands for the only one.
func containerOf(t *corev1.PodTemplateSpec, name string) (*corev1.Container, error) {
	for i := range t.Spec.Containers {
		if c := &t.Spec.Containers[i]; c.Name == name || name == "" {
			return c, nil // a pod has one container here
		}
	}
	return nil, fmt.Errorf("it has no container %q; it has %s", name, t.Spec.Containers[0].Name)
}

// Value returns the field's value in a template, nil where it has no such variable.
func (f *ModelField) Value(t *corev1.PodTemplateSpec) (*string, error) {
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

// set writes the wanted value into a template. It adds a variable that is not there.
func (f *ModelField) set(t *corev1.PodTemplateSpec) {
	c, err := containerOf(t, f.Container)
	if err != nil {
		return // the YAML has another container now
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

// apply writes the override into a template.
func (m *ModelOverride) apply(t *corev1.PodTemplateSpec) {
	for i := range m.Fields {
		m.Fields[i].set(t)
	}
	if t.Annotations == nil {
		t.Annotations = map[string]string{}
	}
	t.Annotations[ModelAnnotation] = m.Version
}

// outdated reports whether the YAML's model changed since the override was set.
func (m *ModelOverride) outdated(t *corev1.PodTemplateSpec) bool {
	if t.Annotations[ModelAnnotation] != m.Declared {
		return true
	}
	return slices.ContainsFunc(m.Fields, func(f ModelField) bool {
		now, err := f.Value(t)
		return err != nil || (now == nil) != (f.Declared == nil) || now != nil && *now != *f.Declared
	})
}

// with returns the override with a field and a version replaced. declared is the template
// in the YAML.
func (m *ModelOverride) with(f ModelField, version string, declared *corev1.PodTemplateSpec) (*ModelOverride, error) {
	next := &ModelOverride{Version: version, Declared: declared.Annotations[ModelAnnotation]}
	now, err := f.Value(declared)
	if err != nil {
		return nil, err
	}
	if now != nil {
		text := *now
		f.Declared = &text
	}
	if m != nil {
		for _, other := range m.Fields {
			if !other.samePlace(&f) {
				next.Fields = append(next.Fields, other)
			}
		}
	}
	next.Fields = append(next.Fields, f)
	return next, nil
}

// Has reports whether the override sets a field, and the version.
func (m *ModelOverride) Has(f ModelField, version string) bool {
	return m != nil && m.Version == version && slices.ContainsFunc(m.Fields, func(o ModelField) bool { return o.samePlace(&f) && o.Wanted == f.Wanted })
}
