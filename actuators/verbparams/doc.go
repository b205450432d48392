// Package verbparams has the parameters of the primitives, which policies write under
// `with`. A verb means the same whatever carries it out, so each has one struct
// here, and every orchestrator's actuator reads that one. It acts on nothing. Start
// reading at scale.go.
package verbparams
