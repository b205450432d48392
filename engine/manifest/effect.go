package manifest

import (
	"cmp"
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/mistake"
)

// The verbs that a guard, or a credential, is for. A test of the verbs holds these against
// what the verbs are.
var (
	// DirectedVerbs go up or down, and cool down by that.
	DirectedVerbs = []string{"scale"}
	// ReplicaVerbs are clamped by guards.replicas.
	ReplicaVerbs = []string{"autoscaler", "scale"}
	// URLVerbs go where guards.urls allows.
	URLVerbs = []string{"event.send", "webhook"}
	// TrackerVerbs show the tracker a credential.
	TrackerVerbs = []string{"model.promote", "model.rollback", "run.tag"}
)

// effect finds what bounds nothing: a guard on what the agent never does. Nobody would
// miss it before the day that it was written for.
func (v *validator) effect(spec *place) {
	primitives := spec.field("primitives")
	if !v.readable(primitives) {
		return
	}
	for i := range v.agent.Spec.Primitives {
		if !v.readable(primitives.item(i)) {
			return
		}
	}
	guards := spec.field("guards")
	v.cooldownEffect(guards.field("cooldown"))
	v.replicasEffect(guards.field("replicas"))
	g := v.agent.Spec.Guards
	for _, name := range []string{"budget", "fleet"} {
		if len(v.agent.Spec.Primitives) == 0 {
			v.idle(guards.field(name), "bounds acts, and the agent may use no verb", "add the verbs to spec.primitives, or leave it out")
		}
	}
	if len(g.Approval) == 0 && v.readable(guards.field("approval")) {
		const message, fix = "is for what waits for a person, and no verb does", "list the verbs in spec.guards.approval, or leave it out"
		v.idle(guards.field("approvalNotify"), message, fix)
		if g.ApprovalExpiry.Duration != engine.DefaultApprovalExpiry { // which a cluster writes into each agent
			v.idle(guards.field("approvalExpiry"), message, fix)
		}
	}
	if !v.uses(URLVerbs...) && !v.has(guards.field("approvalNotify")) {
		v.idle(guards.field("urls"), "bounds where "+strings.Join(URLVerbs, " and ")+" go, and neither is in spec.primitives", "add the one that is meant there, or leave it out")
	}
	v.urlsEffect(guards.field("urls"))
	v.fleetEffect(guards.field("fleet").field("targets"))
	v.credentialsEffect(spec.field("credentials"), guards)
}

// idle is a value without effect, where it is there.
func (v *validator) idle(p *place, message, fix string) {
	if v.written(p) {
		v.bad(p, message, fix)
	}
}

// uses reports whether the agent may use one of the verbs.
func (v *validator) uses(verbs ...string) bool {
	return slices.ContainsFunc(v.agent.Spec.Primitives, func(p string) bool { return slices.Contains(verbs, p) })
}

func (v *validator) cooldownEffect(p *place) {
	for _, key := range sortedKeys(v.agent.Spec.Guards.Cooldown) {
		at, d := p.field(key), v.agent.Spec.Guards.Cooldown[key]
		_, verb := v.kinds.Verbs[key]
		switch {
		case !v.written(at):
		case (key == "up" || key == "down") && !v.uses(DirectedVerbs...):
			v.bad(at, "is for "+strings.Join(DirectedVerbs, " and ")+", which is not in spec.primitives", "add it there, or write the verb that is meant")
		case slices.Contains(DirectedVerbs, key):
			v.bad(at, key+" has a direction, and cools down by that", "write up and down in its place, like {up: 1m, down: 5m}")
		case verb && !v.uses(key):
			v.bad(at, quote(key)+" is not in spec.primitives", "add it there, or leave it out here")
		case d.Duration == 0 && !v.otherWay(key):
			v.bad(at, "0s is no pause", "write a span like 1m, or leave it out")
		}
	}
}

// otherWay reports whether a direction is one of two, of which the other has a pause: then
// 0s says that this one has none.
func (v *validator) otherWay(key string) bool {
	c := v.agent.Spec.Guards.Cooldown
	return key == "up" && c["down"].Duration > 0 || key == "down" && c["up"].Duration > 0
}

func (v *validator) replicasEffect(p *place) {
	r := v.agent.Spec.Guards.Replicas
	if r == nil || !v.written(p) {
		return
	}
	switch {
	case !v.uses(ReplicaVerbs...):
		v.bad(p, "bounds "+strings.Join(ReplicaVerbs, " and ")+", and neither is in spec.primitives", "add the one that is meant there, or leave it out")
		return
	case *r == (ReplicaGuard{}) && v.allRead(p, "min", "max", "stepUp", "stepDown"):
		v.bad(p, "bounds nothing", "write min, max, stepUp or stepDown, or leave it out")
		return
	}
	if !v.uses(DirectedVerbs...) {
		for _, step := range []string{"stepUp", "stepDown"} {
			v.idle(p.field(step), "is for "+strings.Join(DirectedVerbs, " and ")+", which is not in spec.primitives", "add it there, or leave it out")
		}
	}
}

func (v *validator) allRead(p *place, names ...string) bool {
	return !slices.ContainsFunc(names, func(name string) bool { return !v.readable(p.field(name)) })
}

// credentialsEffect finds credentials that are never shown, and those of which one hides
// another.
func (v *validator) credentialsEffect(p *place, guards *place) {
	sends := v.uses(URLVerbs...) || v.written(guards.field("approvalNotify"))
	for i, c := range v.agent.Spec.Credentials {
		at := p.item(i).field("url")
		if !v.written(at) || len(c.Check()) > 0 {
			continue
		}
		before := slices.IndexFunc(v.agent.Spec.Credentials[:i], func(b Credential) bool { return b.Covers(c.URL) && c.Covers(b.URL) })
		switch {
		case before >= 0:
			v.bad(at, fmt.Sprintf("is the address of credentials[%d] too, and one of them is never shown", before), "leave one out, or give each the path that it is for")
		case v.uses(TrackerVerbs...): // whose address the process knows
		case !sends:
			v.idle(at, "nothing shows this: neither event.send nor webhook is in spec.primitives", "add it there, or leave the credential out")
		case v.readable(guards) && v.readable(guards.field("urls")) && !v.reaches(&c):
			v.idle(at, "nothing shows this: the agent may call no address there", "add the address to spec.guards.urls, or leave the credential out")
		}
	}
}

// reaches reports whether an agent may call an address that a credential is for.
func (v *validator) reaches(c *Credential) bool {
	g := v.agent.Spec.Guards
	if !v.uses(URLVerbs...) {
		return c.Covers(g.ApprovalNotify)
	}
	if engine.URLAllowed(c.URL, g.URLs) {
		return true
	}
	return slices.ContainsFunc(g.URLs, c.Covers) // a part of what the credential is for
}

// fleetEffect finds a bound of the fleet that lets all of it be acted on.
func (v *validator) fleetEffect(p *place) {
	if g := v.agent.Spec.Guards.Fleet; g != nil && g.Targets.Percent >= 100 && v.written(p) {
		v.bad(p, "is every target, which bounds nothing", "write less than 100%, or leave fleet out")
	}
}

// urlsEffect finds addresses that are there twice, or look like patterns.
func (v *validator) urlsEffect(p *place) {
	urls := v.agent.Spec.Guards.URLs
	for i, raw := range urls {
		at := p.item(i)
		u, err := url.Parse(raw)
		if err != nil || !v.readable(at) || engine.URLPrefixProblem(raw) != nil {
			continue // said already
		}
		if strings.ContainsAny(u.Path, "*{}") {
			v.bad(at, quote(raw)+" looks like a pattern, and is compared as it is", "end it with the path that all have; what is below is allowed too")
		}
		if _, err := netip.ParsePrefix(u.Hostname() + u.Path); err == nil {
			v.bad(at, quote(raw)+" looks like a range of addresses, and is one address with a path", "write a URL for each host")
		}
		if slices.ContainsFunc(urls[:i], func(o string) bool { return sameURL(raw, o) }) {
			v.bad(at, quote(raw)+" is in the list already", "keep one")
		}
	}
}

func sameURL(a, b string) bool { return engine.URLBelow(a, b) && engine.URLBelow(b, a) }

// Idle are the values of a manifest that can be meant for later, and have no effect as it
// is: warnings, and no reason to refuse it.
func (a *Agent) Idle() []mistake.Mistake {
	var out []mistake.Mistake
	say := func(field, message, fix string) { out = append(out, a.Mistaken(field, message, fix)) }
	urls := a.Spec.Guards.URLs
	for i, raw := range urls {
		if j := slices.IndexFunc(urls, func(o string) bool { return engine.URLBelow(raw, o) && !engine.URLBelow(o, raw) }); j >= 0 {
			say(fmt.Sprintf("spec.guards.urls[%d]", i), fmt.Sprintf("%s is allowed by %s already", quote(raw), quote(urls[j])), "keep the one that is meant")
		}
	}
	if g, n := a.Spec.Guards.Fleet, len(a.Spec.Targets.Static); g != nil && n > 0 {
		switch {
		case n == 1:
			say("spec.guards.fleet.targets", "bounds nothing: there is one target, and one is always allowed", "leave fleet out")
		case g.Targets.Percent == 0 && g.Targets.Count >= n:
			say("spec.guards.fleet.targets", fmt.Sprintf("is every target, which bounds nothing: there are %d", n), "write less, or leave fleet out")
		}
	}
	for i, s := range a.Spec.Sensors {
		own := cmp.Or(s.Timeout.Duration, engine.DefaultSensorTimeout)
		if d, _ := requestTimeout(s); d.Duration > own/2 {
			say(fmt.Sprintf("spec.sensors[%d].%s.timeout", i, s.Kind), fmt.Sprintf("is %s, and a request has half of the sensor's own timeout at most: %s", d, own/2), "write less, or a longer timeout of the sensor")
		}
	}
	return out
}
