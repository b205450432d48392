package sensors

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/labelrules"
	"github.com/scanflow-k8s/scanflow/engine/mistake"
)

// ObjectConfig reads a field of another object of the cluster that belongs to the
// target: the progress of a workflow, the size of a queue. If several objects do,
// the newest counts.
//
// The value is a number, or of the type that the manifest declares. Anything else is
// an error. No such object, or no such field in it, is no value.
type ObjectConfig struct {
	APIVersion string            `json:"apiVersion" required:"true" doc:"API group and version of the object, as in argoproj.io/v1alpha1"`
	Kind       string            `json:"kind" required:"true" doc:"kind of the object, as in Workflow"`
	Name       string            `json:"name,omitempty" doc:"name of the object, with {name}, {namespace} and {label:NAME} of the target; any name if absent"`
	Selector   *ObjectSelector   `json:"selector,omitempty" doc:"which objects count"`
	Match      map[string]string `json:"match,omitempty" doc:"label of the object: field (namespace, name, kind) or label of the target"`
	Field      string            `json:"field" required:"true" doc:"path to the value, as in status.progress, status.nodes[0].phase or metadata.annotations['example.com/owner']"`
	Type       string            `json:"type,omitempty" default:"number" enum:"number,string,boolean" doc:"what the value must be; anything else is an error"`
}

// ObjectSelector says which objects count.
type ObjectSelector struct {
	MatchLabels map[string]string `json:"matchLabels" required:"true" doc:"labels that the object must have, each with exactly this value"`
}

// Check finds labels that no object can have.
func (s *ObjectSelector) Check() mistake.Mistakes {
	return labelrules.Mistakes("matchLabels", s.MatchLabels)
}

var fieldForm = regexp.MustCompile(`^[^\s.'"\[\]]+(\.[^\s.'"\[\]]+|\[[0-9]+\]|\['[^']+'\]|\["[^"]+"\])*$`)

// Check finds a bad name, match or field, and a sensor that tells no targets apart.
func (c *ObjectConfig) Check() (mistakes mistake.Mistakes) {
	name, err := parseTemplate(c.Name)
	if err != nil {
		mistakes.Add("name", err.Error(), "")
	}
	for _, p := range sortedPairs(c.Match) {
		if p.label == "" || p.field == "" {
			mistakes.Add("match", fmt.Sprintf("%q: %q is not a label and a field", p.label, p.field), "")
		}
	}
	if c.Name == "" && len(c.Match) == 0 {
		mistakes.Add("match", "say whose an object is, as in {app: name}, or give its name", "")
	}
	if c.Name != "" && !name.particular() && len(c.Match) > 0 {
		mistakes.Add("match", "an object of one name is every target's", "drop match, or the name")
	}
	if c.Field != "" && !fieldForm.MatchString(c.Field) {
		mistakes.Add("field", "is no path", "write it like status.progress, status.nodes[0].phase or metadata.annotations['example.com/owner']")
	}
	return mistakes
}

// ValueType is the JSON type that the signal's value has.
func (c *ObjectConfig) ValueType() string { return cmp.Or(c.Type, "number") }

// objects is what an orchestrator needs that knows more than workloads. read gives
// every object in a namespace ("" is all), found being whether it has the field;
// release tells that no more is read.
type objects interface {
	Objects(apiVersion, kind string, matchLabels map[string]string, field string) (
		read func(ctx context.Context, namespace string, each func(namespace, name string, labels map[string]string, created time.Time, value any, found bool)) error,
		release func(), err error)
}

type objectSensor struct {
	*ObjectConfig
	name    template
	match   []pair
	read    func(ctx context.Context, namespace string, each func(namespace, name string, labels map[string]string, created time.Time, value any, found bool)) error
	release func()
}

func newObject(c *ObjectConfig, env Env) (engine.Sensor, error) {
	known, can := env.Workloads.(objects)
	if !can {
		return nil, errors.New("no orchestrator runs here that knows objects; this kind of sensor works on Kubernetes alone")
	}
	if err := c.Check().Err(); err != nil {
		return nil, err
	}
	name, err := parseTemplate(c.Name)
	if err != nil {
		return nil, fmt.Errorf("name: %w", err)
	}
	s := &objectSensor{ObjectConfig: c, name: name, match: sortedPairs(c.Match)}
	var labels map[string]string
	if c.Selector != nil {
		labels = c.Selector.MatchLabels
	}
	s.read, s.release, err = known.Objects(c.APIVersion, c.Kind, labels, c.Field)
	return s, err
}

// Release ends the following of the objects, unless others need it.
func (s *objectSensor) Release() { s.release() }

// found is the newest object so far of those that belong together.
type found struct {
	name    string
	created time.Time
	value   any
	has     bool
}

// Sample passes once over the objects and once over the fleet. A fleet of one
// namespace looks into that alone. An object of the whole cluster is in no namespace,
// and belongs to targets in any.
func (s *objectSensor) Sample(ctx context.Context, at time.Time, fleet []engine.Target) (engine.Reading, error) {
	out := make(engine.Reading, len(fleet))
	if len(fleet) == 0 { // then no namespace is named, which would be all of them
		return out, nil
	}
	newest := map[string]found{}
	err := s.read(ctx, namespaceOf(fleet), func(namespace, name string, labels map[string]string, created time.Time, value any, has bool) {
		key, ok := s.keyOf(namespace, name, func(p pair) (string, bool) { v, ok := labels[p.label]; return v, ok })
		before, known := newest[key]
		if ok && (!known || created.After(before.created) || created.Equal(before.created) && name > before.name) {
			newest[key] = found{name, created, value, has}
		}
	})
	if err != nil {
		return nil, fmt.Errorf("read objects of the kind %s: %w", s.Kind, err)
	}
	for i := range fleet {
		out[i] = s.signal(at, &fleet[i], newest)
	}
	return out, nil
}

func (s *objectSensor) signal(at time.Time, target *engine.Target, newest map[string]found) engine.Signal {
	name, err := s.name.fill(target, func(v string) (string, error) { return v, nil })
	if err != nil {
		return engine.Signal{State: engine.Error, Problem: "name: " + err.Error()}
	}
	var o found
	exists := false
	for _, namespace := range slices.Compact([]string{target.Namespace, ""}) {
		key, ok := s.keyOf(namespace, name, func(p pair) (string, bool) { return target.Field(p.field) })
		if !ok {
			return engine.Signal{State: engine.Empty, Problem: "the target lacks one of " + strings.Join(slices.Sorted(maps.Values(s.Match)), ", ")}
		}
		if o, exists = newest[key]; exists {
			break
		}
	}
	switch is := jsonType(o.value); {
	case !exists:
		return engine.Signal{State: engine.Empty, Problem: "there is no such " + s.Kind}
	case !o.has:
		return engine.Signal{State: engine.Empty, Problem: s.Kind + " " + o.name + " has no " + s.Field}
	case is != s.ValueType():
		return engine.Signal{State: engine.Error, Problem: s.Field + " of " + s.Kind + " " + o.name + " is of type " + is + ", not " + s.ValueType() + "; if that is meant, say so by type"}
	}
	if n, beyond := o.value.(json.Number); beyond {
		return engine.Signal{State: engine.Error, Problem: fmt.Sprintf("%s of %s %s: %v", s.Field, s.Kind, o.name, errBeyondFloat(n))}
	}
	return engine.Signal{State: engine.OK, Value: o.value, At: at}
}

// keyOf is what an object and the target that it belongs to have in common.
func (s *objectSensor) keyOf(namespace, name string, value func(pair) (string, bool)) (string, bool) {
	parts := []string{namespace}
	if s.Name != "" {
		parts = append(parts, name)
	}
	for _, p := range s.match {
		v, ok := value(p)
		if !ok {
			return "", false
		}
		parts = append(parts, v)
	}
	return strings.Join(parts, "\xff"), true
}

// namespaceOf is the one of all targets; "" if they are in several.
func namespaceOf(fleet []engine.Target) string {
	for i := range fleet {
		if fleet[i].Namespace != fleet[0].Namespace {
			return ""
		}
	}
	return fleet[0].Namespace
}
