package policy

import (
	"slices"

	"github.com/open-policy-agent/opa/v1/ast"
)

// disabledBuiltins maps the built-ins that policies may not call to an advice.
// OPA marks most of them as nondeterministic; opa.runtime depends on this process.
func disabledBuiltins() map[string]string {
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

// capabilities returns those of stock OPA without the disabled built-ins.
func capabilities() *ast.Capabilities {
	off := disabledBuiltins()
	caps := *ast.CapabilitiesForThisVersion()
	caps.Builtins = slices.DeleteFunc(slices.Clone(caps.Builtins), func(b *ast.Builtin) bool {
		_, gone := off[b.Name]
		return gone
	})
	caps.AllowNet = []string{} // the compiler fetches no schema
	return &caps
}
