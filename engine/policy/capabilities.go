package policy

import (
	"slices"

	"github.com/open-policy-agent/opa/v1/ast"
)

// switchedOff names the built-ins that policies may not call, and what to do
// instead. OPA marks some as nondeterministic; the others look the same up but
// depend on this process.
func switchedOff() map[string]string {
	off := map[string]string{
		"opa.runtime": "it is switched off: a decision rests on the document alone",
		"http.send":   "it is switched off: let a sensor fetch it, and read input.signals",
		"time.now_ns": "it is switched off: read input.now_ns",
	}
	for _, b := range ast.CapabilitiesForThisVersion().Builtins {
		if _, named := off[b.Name]; !named && b.Nondeterministic {
			off[b.Name] = "it is switched off: its answer is not the same each time, and a decision must be replayable"
		}
	}
	return off
}

// capabilities are those of stock OPA, less what is switched off.
func capabilities() *ast.Capabilities {
	off := switchedOff()
	caps := *ast.CapabilitiesForThisVersion()
	caps.Builtins = slices.DeleteFunc(slices.Clone(caps.Builtins), func(b *ast.Builtin) bool {
		_, gone := off[b.Name]
		return gone
	})
	caps.AllowNet = []string{} // no schema is fetched either
	return &caps
}
