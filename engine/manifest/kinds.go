package manifest

import (
	"maps"
	"slices"
)

// Kinds are the adapters that a manifest may name. Whoever reads manifests passes
// the maps of the packages sensors and actuators, so that a new adapter is one
// file and one line there, and none here.
type Kinds struct {
	// Sensors maps a sensor's kind ("prometheus") to a function that returns a
	// pointer to a new, empty configuration struct. Its exported fields are decoded
	// strictly by their `json` names; `required:"true"` marks one that must be set,
	// `doc:"..."` is its line in the reference, `enum:"a,b"` lists what a string may
	// be, `default:"5s"` is the scalar that an absent field gets. A struct (or a
	// nested one) that is a Checker is asked for further mistakes. Its method ValueType
	// or ValueSchema, if it has one, says what the values are, for policies to be held
	// against.
	Sensors map[string]func() any
	// Verbs maps a primitive to a function that returns a pointer to a struct of its
	// parameters (`with`), with the same tags.
	Verbs map[string]func() any
}

// Checker is a configuration that can find mistakes which its types don't show.
// Each is a sentence, prefixed by the field it is about: "url: has no scheme". A
// part after the last "; " is taken for the fix.
//
// Check is asked even where some fields could not be read, so that all mistakes
// show at once; its sentences that name such a field are left out.
type Checker interface{ Check() []string }

func (k Kinds) sensorNames() []string { return slices.Sorted(maps.Keys(k.Sensors)) }
func (k Kinds) verbNames() []string   { return slices.Sorted(maps.Keys(k.Verbs)) }
