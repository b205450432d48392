package kubernetes

import (
	"cmp"
	"errors"
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/scanflow-k8s/scanflow/actuators/verbparams"
	"github.com/scanflow-k8s/scanflow/engine/kubernetes/fieldpath"
)

// workload edits a container's environment variable or argument.
func (e *modelEdit) workload(o *object, w verbparams.ModelServe) error {
	if w.CanaryPercent != nil {
		return fmt.Errorf("canaryPercent: a %s has none; run the new model as a workload of its own, and share out the requests by traffic", o.GetKind())
	}
	if w.Env == "" && w.Argument == "" {
		return errors.New("say how the container is told its model: by env or by argument")
	}
	if err := checkPodTemplate(o.Unstructured); err != nil {
		return err
	}
	containers, _, err := unstructured.NestedSlice(o.Object, "spec", "template", "spec", "containers")
	if err != nil {
		return err
	}
	i, err := indexByName(containers, w.Container, "container")
	if err != nil {
		return err
	}
	container := containers[i].(map[string]any)
	value := cmp.Or(w.URI, w.Version)
	part := map[string]any{"name": container["name"]}
	at := []any{"spec", "template", "spec", "containers", i}
	if w.Env != "" {
		err = e.variable(container, part, at, w.Env, value)
	} else {
		err = e.argument(container, part, at, w.Argument, value)
	}
	if err != nil {
		return fmt.Errorf("container %v: %w", container["name"], err)
	}
	e.set = map[string]any{"spec": map[string]any{"template": map[string]any{"spec": map[string]any{"containers": []any{part}}}}}
	return e.annotate(o.Object, w, "spec", "template", "metadata")
}

func (e *modelEdit) variable(container, part map[string]any, at []any, name, value string) error {
	part["env"] = []any{map[string]any{"name": name, "value": value}}
	for i, v := range fieldpath.Maps(container, "env") {
		if v["name"] != name {
			continue
		}
		if v["valueFrom"] != nil {
			return fmt.Errorf("its variable %s comes from somewhere else (valueFrom): write it there, or give it a value here", name)
		}
		e.note(append(at, "env", i, "value"), v["value"], value)
		return nil
	}
	e.note(append(at, "env["+name+"]"), nil, value)
	return nil
}

// argument replaces the argument with a prefix. The API server treats the arguments as one
// value, so all are written.
func (e *modelEdit) argument(container, part map[string]any, at []any, prefix, value string) error {
	for _, list := range []string{"args", "command"} {
		arguments, _ := container[list].([]any)
		for i, a := range arguments {
			if text, _ := a.(string); strings.HasPrefix(text, prefix) {
				next := runtime.DeepCopyJSONValue(arguments).([]any)
				next[i] = prefix + value
				part[list] = next
				if text != next[i] {
					e.changes = append(e.changes, fieldChange{append(at, list), text, next[i]})
				}
				return nil
			}
		}
	}
	return fmt.Errorf("none of its arguments begins with %s: give it one, as %s%s", prefix, prefix, value)
}
