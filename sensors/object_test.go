package sensors_test

import (
	"context"
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/sensors"
)

// cluster is an orchestrator with objects as a table. The real one is tested with this sensor
// in actuators/kubernetes.
type cluster struct {
	workloads
	objects  []object
	err      error
	asked    []string // namespaces
	released int
}

type object struct {
	namespace, name string
	labels          map[string]string
	age             time.Duration
	value           any // nil where it lacks the field
}

func (c *cluster) Objects(_, _ string, _ map[string]string, field string) (
	func(context.Context, string, func(namespace, name string, labels map[string]string, created time.Time, value any, found bool)) error, func(), error,
) {
	if field == "refused" {
		return nil, nil, errors.New("no such path")
	}
	read := func(_ context.Context, namespace string, each func(namespace, name string, labels map[string]string, created time.Time, value any, found bool)) error {
		c.asked = append(c.asked, namespace)
		for _, o := range c.objects {
			if namespace == "" || o.namespace == "" || o.namespace == namespace {
				each(o.namespace, o.name, o.labels, time.Unix(1000, 0).Add(-o.age), o.value, o.value != nil)
			}
		}
		return c.err
	}
	return read, func() { c.released++ }, nil
}

func TestObjects(t *testing.T) {
	at := time.Unix(2000, 0)
	ok := func(v any) engine.Signal { return engine.Signal{State: engine.OK, Value: v, At: at} }
	empty := func(why string) engine.Signal { return engine.Signal{State: engine.Empty, Problem: why} }
	of := func(model string) map[string]string { return map[string]string{"model": model} }
	c := &cluster{objects: []object{
		{"x", "train-a", of("a"), time.Minute, 0.5},
		{"x", "again-a", of("a"), time.Second, 0.25},
		{"x", "old-a", of("a"), time.Hour, 1.0},
		{"y", "train-a", of("a"), 0, 0.125},
		{"x", "train-b", of("b"), time.Minute, "half"},
		{"x", "train-c", of("c"), time.Minute, nil},
		{"x", "unlabelled", nil, 0, 9.0},
		{"", "wide", of("w"), 0, 7.0},
	}}
	fleet := []engine.Target{target("x", "a"), target("y", "a"), target("x", "b"), target("x", "c"), target("x", "d"), target("y", "w")}
	wrong := engine.Signal{State: engine.Error, Problem: "status.progress of Workflow train-b is of type string, not number; if that is meant, say so by type"}
	for name, test := range map[string]struct {
		config sensors.ObjectConfig
		want   engine.Reading
	}{
		"by match, the newest": {sensors.ObjectConfig{Match: map[string]string{"model": "name"}}, engine.Reading{
			ok(0.25), ok(0.125), wrong, empty("Workflow train-c has no status.progress"), empty("there is no such Workflow"), ok(7.0),
		}},
		"by name": {sensors.ObjectConfig{Name: "train-{name}"}, engine.Reading{
			ok(0.5), ok(0.125), wrong, empty("Workflow train-c has no status.progress"), empty("there is no such Workflow"), empty("there is no such Workflow"),
		}},
		"by both": {sensors.ObjectConfig{Name: "train-{name}", Match: map[string]string{"model": "name"}}, engine.Reading{
			ok(0.5), ok(0.125), wrong, empty("Workflow train-c has no status.progress"), empty("there is no such Workflow"), empty("there is no such Workflow"),
		}},
		"by a label that targets lack": {sensors.ObjectConfig{Match: map[string]string{"model": "serves"}}, engine.Reading{
			empty("the target lacks one of serves"), empty("the target lacks one of serves"), empty("the target lacks one of serves"),
			empty("the target lacks one of serves"), empty("the target lacks one of serves"), empty("the target lacks one of serves"),
		}},
	} {
		t.Run(name, func(t *testing.T) {
			config := test.config
			config.APIVersion, config.Kind, config.Field = "argoproj.io/v1alpha1", "Workflow", "status.progress"
			got := sampleAt(t, build(t, "object", &config, sensors.Env{Workloads: c}), at, fleet...)
			require.Empty(t, cmp.Diff(test.want, got))
		})
	}
	text := &sensors.ObjectConfig{APIVersion: "v1", Kind: "Workflow", Name: "train-{name}", Field: "status.phase", Type: "string"}
	require.Equal(t, "string", text.ValueType())
	got := sampleAt(t, build(t, "object", text, sensors.Env{Workloads: c}), at, target("x", "b"), target("x", "a"))
	require.Equal(t, ok("half"), got[0])
	require.Equal(t, engine.Error, got[1].State)
}

// An integer that a float64 can't hold exactly is refused with its digits.
func TestObjectOfAWholeNumberBeyondFloats(t *testing.T) {
	c := &cluster{objects: []object{{"x", "train-a", nil, 0, json.Number("9007199254740993")}}}
	s := build(t, "object", &sensors.ObjectConfig{APIVersion: "v1", Kind: "Workflow", Name: "train-{name}", Field: "status.progress"}, sensors.Env{Workloads: c})
	got := sampleAt(t, s, time.Now(), target("x", "a"))[0]
	require.Equal(t, engine.Error, got.State, "%v", got.Value)
	require.Contains(t, got.Problem, "status.progress of Workflow train-a: the value 9007199254740993 would be another number as a 64-bit float")
	require.Nil(t, got.Value)
}

func TestObjectsAreSoughtWhereTheFleetIs(t *testing.T) {
	c := &cluster{}
	s := build(t, "object", &sensors.ObjectConfig{APIVersion: "v1", Kind: "Workflow", Name: "{name}", Field: "status.phase"}, sensors.Env{Workloads: c})
	sampleAt(t, s, time.Now())
	require.Empty(t, c.asked, "an empty fleet is no reason to look everywhere")
	sampleAt(t, s, time.Now(), target("x", "a"), target("x", "b"))
	sampleAt(t, s, time.Now(), target("x", "a"), target("y", "b"))
	require.Equal(t, []string{"x", ""}, c.asked)

	c.err = errors.New("forbidden")
	require.ErrorContains(t, failing(t, s, target("x", "a")), "read objects of the kind Workflow: forbidden")
	s.(interface{ Release() }).Release()
	require.Equal(t, 1, c.released)
}

func TestObjectMistakes(t *testing.T) {
	for want, c := range map[string]*sensors.ObjectConfig{
		"match: say whose":        {Field: "status.phase"},
		"name: {who} is not a pl": {Name: "{who}", Field: "status.phase"},
		"of one name is every":    {Name: "fixed", Match: map[string]string{"a": "name"}, Field: "status.phase"},
		`match: "a": "" is not a`: {Match: map[string]string{"a": ""}, Field: "status.phase"},
		"field: is no path":       {Name: "fixed", Field: "status..phase"},
		"no such path":            {Name: "fixed", Field: "refused"},
	} {
		_, err := sensors.Kinds["object"].New(c, sensors.Env{Workloads: &cluster{}})
		require.ErrorContains(t, err, want)
	}
	for _, none := range []engine.Orchestrator{nil, workloads{}} {
		_, err := sensors.Kinds["object"].New(&sensors.ObjectConfig{Name: "x", Field: "y"}, sensors.Env{Workloads: none})
		require.ErrorContains(t, err, "works on Kubernetes alone")
	}
}
