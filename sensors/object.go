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

// ObjectConfig reads a field of another object of the cluster that belongs to the target, such
// as the progress of a workflow or the size of a queue. If several objects match, the newest
// one is read.
//
// The value is a number, or of the type that the manifest declares; any other type is an
// error. If there is no such object, or the object has no such field, the signal is empty.
type ObjectConfig struct {
	APIVersion string            `json:"apiVersion" required:"true" doc:"API group and version of the object, as in argoproj.io/v1alpha1"`
	Kind       string            `json:"kind" required:"true" doc:"kind of the object, as in Workflow"`
	Name       string            `json:"name,omitempty" doc:"name of the object, with {name}, {namespace} and {label:NAME} of the target; any name if absent"`
	Selector   *ObjectSelector   `json:"selector,omitempty" doc:"which objects count"`
	Match      map[string]string `json:"match,omitempty" doc:"label of the object: field (namespace, name, kind) or label of the target"`
	Field      string            `json:"field" required:"true" doc:"path to the value, as in status.progress, status.nodes[0].phase or metadata.annotations['example.com/owner']"`
	Type       string            `json:"type,omitempty" default:"number" enum:"number,string,boolean" doc:"what the value must be; anything else is an error"`
}

// ObjectSelector selects objects by their labels.
type ObjectSelector struct {
	MatchLabels map[string]string `json:"matchLabels" required:"true" doc:"labels that the object must have, each with exactly this value"`
}

// Check returns invalid labels.
func (s *ObjectSelector) Check() mistake.Mistakes {
	return labelrules.Mistakes("matchLabels", s.MatchLabels)
}

var fieldForm = regexp.MustCompile(`^[^\s.'"\[\]]+(\.[^\s.'"\[\]]+|\[[0-9]+\]|\['[^']+'\]|\["[^"]+"\])*$`)

// Check returns an invalid name, match or field, and a match that can't distinguish targets.
func (c *ObjectConfig) Check() (mistakes mistake.Mistakes) {
	name, err := parseTemplate(c.Name)
	if err != nil {
		mistakes.Add("name", err.Error(), "")
	}
	for _, p := range sortedMatches(c.Match) {
		if p.label == "" || p.field == "" {
			mistakes.Add("match", fmt.Sprintf("%q: %q is not a label and a field", p.label, p.field), "")
		}
	}
	if c.Name == "" && len(c.Match) == 0 {
		mistakes.Add("match", "say whose an object is, as in {app: name}, or give its name", "")
	}
	if c.Name != "" && !name.perTarget() && len(c.Match) > 0 {
		mistakes.Add("match", "an object of one name is every target's", "drop match, or the name")
	}
	if c.Field != "" && !fieldForm.MatchString(c.Field) {
		mistakes.Add("field", "is no path", "write it like status.progress, status.nodes[0].phase or metadata.annotations['example.com/owner']")
	}
	return mistakes
}

// ValueType returns the JSON type of the signal's value.
func (c *ObjectConfig) ValueType() string { return cmp.Or(c.Type, "number") }

// objectLister is an orchestrator that lists objects of any kind. read calls each for every
// object in a namespace ("" for all); found reports whether the object has the field. release
// stops watching the objects.
type objectLister interface {
	Objects(apiVersion, kind string, matchLabels map[string]string, field string) (
		read func(ctx context.Context, namespace string, each func(namespace, name string, labels map[string]string, created time.Time, value any, found bool)) error,
		release func(), err error)
}

type objectSensor struct {
	*ObjectConfig
	name    template
	match   []labelMatch
	read    func(ctx context.Context, namespace string, each func(namespace, name string, labels map[string]string, created time.Time, value any, found bool)) error
	release func()
}

func newObject(c *ObjectConfig, env Env) (engine.Sensor, error) {
	lister, ok := env.Workloads.(objectLister)
	if !ok {
		return nil, errors.New("no orchestrator runs here that knows objects; this kind of sensor works on Kubernetes alone")
	}
	if err := c.Check().Err(); err != nil {
		return nil, err
	}
	name, err := parseTemplate(c.Name)
	if err != nil {
		return nil, fmt.Errorf("name: %w", err)
	}
	s := &objectSensor{ObjectConfig: c, name: name, match: sortedMatches(c.Match)}
	var labels map[string]string
	if c.Selector != nil {
		labels = c.Selector.MatchLabels
	}
	s.read, s.release, err = lister.Objects(c.APIVersion, c.Kind, labels, c.Field)
	return s, err
}

// Release stops watching the objects.
func (s *objectSensor) Release() { s.release() }

// objectMatch is the newest object with a key.
type objectMatch struct {
	name     string
	created  time.Time
	value    any
	hasValue bool
}

// Sample reads the objects once for the whole fleet. If all targets are in one namespace, only
// that one is read. A cluster-scoped object may belong to targets in any namespace.
func (s *objectSensor) Sample(ctx context.Context, at time.Time, fleet []engine.Target) (engine.Reading, error) {
	out := make(engine.Reading, len(fleet))
	if len(fleet) == 0 { // without a namespace, all of them would be read
		return out, nil
	}
	newest := map[string]objectMatch{}
	err := s.read(ctx, namespaceOf(fleet), func(namespace, name string, labels map[string]string, created time.Time, value any, has bool) {
		key, ok := s.keyOf(namespace, name, func(p labelMatch) (string, bool) { v, ok := labels[p.label]; return v, ok })
		before, known := newest[key]
		if ok && (!known || created.After(before.created) || created.Equal(before.created) && name > before.name) {
			newest[key] = objectMatch{name, created, value, has}
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

func (s *objectSensor) signal(at time.Time, target *engine.Target, newest map[string]objectMatch) engine.Signal {
	name, err := s.name.fill(target, func(v string) (string, error) { return v, nil })
	if err != nil {
		return engine.Signal{State: engine.Error, Problem: "name: " + err.Error()}
	}
	var o objectMatch
	exists := false
	for _, namespace := range slices.Compact([]string{target.Namespace, ""}) {
		key, ok := s.keyOf(namespace, name, func(p labelMatch) (string, bool) { return target.Field(p.field) })
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
	case !o.hasValue:
		return engine.Signal{State: engine.Empty, Problem: s.Kind + " " + o.name + " has no " + s.Field}
	case is != s.ValueType():
		return engine.Signal{State: engine.Error, Problem: s.Field + " of " + s.Kind + " " + o.name + " is of type " + is + ", not " + s.ValueType() + "; if that is meant, say so by type"}
	}
	if n, beyond := o.value.(json.Number); beyond {
		return engine.Signal{State: engine.Error, Problem: fmt.Sprintf("%s of %s %s: %v", s.Field, s.Kind, o.name, errBeyondFloat(n))}
	}
	return engine.Signal{State: engine.OK, Value: o.value, At: at}
}

// keyOf returns the key that an object and its target have in common.
func (s *objectSensor) keyOf(namespace, name string, value func(labelMatch) (string, bool)) (string, bool) {
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

// namespaceOf returns the namespace of all targets, or "" if they are in several.
func namespaceOf(fleet []engine.Target) string {
	for i := range fleet {
		if fleet[i].Namespace != fleet[0].Namespace {
			return ""
		}
	}
	return fleet[0].Namespace
}
