package engine

import (
	"slices"
	"strings"
)

// validate refuses what may not speak at all: a verb that the agent may not use
// or that nobody offers, parameters of the wrong shape, and evidence that is not
// in the state that the proposal says it relies on.
func (a *agent) validate(c *candidate, doc *Document) {
	if !slices.Contains(a.spec.Primitives, c.Primitive) {
		c.refuse(ByPrimitives, "%s is not among the agent's primitives (%s)", c.Primitive, strings.Join(a.spec.Primitives, ", "))
		return
	}
	verb, offered := a.host.Verbs[c.Primitive]
	if !offered {
		c.refuse(ByPrimitives, "nothing here offers %s (scale, traffic and restart want --workloads)", c.Primitive)
		return
	}
	c.verb = verb
	if verb.Check != nil {
		if mistakes := verb.Check(c.With); len(mistakes) > 0 {
			c.refuse("shape", "%s", strings.Join(mistakes, "; "))
			return
		}
	}
	var unfit []string
	for _, e := range c.Because {
		i := slices.Index(doc.Names, e.Signal)
		switch {
		case i < 0:
			unfit = append(unfit, e.Signal+" is no signal of this agent")
		case doc.Signals[i].State != e.State:
			why := e.Signal + " is " + string(doc.Signals[i].State) + ", not " + string(e.State)
			if p := doc.Signals[i].Problem; p != "" {
				why += " (" + p + ")"
			}
			unfit = append(unfit, why)
		}
	}
	if len(unfit) > 0 {
		c.refuse("signals", "%s", strings.Join(unfit, "; "))
		return
	}
	if verb.Claim != nil {
		c.claim = verb.Claim(c.With)
	}
}
