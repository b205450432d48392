package manifest

import (
	"maps"
	"reflect"
	"slices"

	"github.com/scanflow-k8s/scanflow/engine/mistake"
)

// Kinds are the adapters that a manifest may name. The caller passes the maps of the packages
// sensors and actuators: a new adapter changes nothing in this package.
type Kinds struct {
	// Sensors maps a sensor's kind ("prometheus") to a function that returns a
	// pointer to a new, empty configuration struct. Its exported fields are decoded
	// strictly by their `json` names; `required:"true"` marks one that must be set,
	// `doc:"..."` is its line in the reference, `enum:"a,b"` lists the values of a
	// string, `default:"5s"` is the scalar that an absent field gets. A struct, at any
	// depth, may be a Checker. A method ValueType or ValueSchema declares the type of
	// the sensor's values, so that policies can be checked against it.
	Sensors map[string]func() any
	// Verbs maps a primitive to a function that returns a pointer to the struct of its
	// parameters (`with`), with the same tags.
	Verbs map[string]func() any
}

// Checker is a configuration that finds mistakes which its types don't show. The Path of
// each is relative to the configuration: "url", "headers.Accept", "" for all of it.
//
// Check is called even if some fields could not be read, so that one run reports every
// mistake; a mistake whose message or fix names such a field is dropped.
type Checker interface{ Check() mistake.Mistakes }

func (k Kinds) sensorNames() []string { return slices.Sorted(maps.Keys(k.Sensors)) }
func (k Kinds) verbNames() []string   { return slices.Sorted(maps.Keys(k.Verbs)) }

// verbTypes are the types of the parameters of each verb.
func (k Kinds) verbTypes() map[string]reflect.Type {
	out := make(map[string]reflect.Type, len(k.Verbs))
	for verb, params := range k.Verbs {
		out[verb] = reflect.TypeOf(params())
	}
	return out
}
