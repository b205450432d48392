// Package verbparams has the parameters of the primitives, which policies write under `with`.
// A verb means the same on every orchestrator, so that all actuators of a verb decode the one
// struct here. It acts on nothing. Start reading at scale.go.
package verbparams
