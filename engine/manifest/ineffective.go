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
	"github.com/scanflow-k8s/scanflow/engine/urlguard"
)

// The verbs that a guard or a credential applies to. A test of the actuators compares these
// lists with the verbs.
var (
	// DirectedVerbs have a direction, up or down, and a cooldown for each.
	DirectedVerbs = []string{"scale"}
	// ReplicaVerbs are clamped by guards.replicas.
	ReplicaVerbs = []string{"autoscaler", "scale"}
	// FieldVerbs write a field, which guards.hold holds against other agents.
	FieldVerbs = []string{"apply", "autoscaler", "model.promote", "model.rollback", "model.serve", "place", "restart", "scale", "traffic"}
	// RunVerbs hold a claim while they run, and write no field.
	RunVerbs = []string{"workflow.run"}
	// URLVerbs send requests to addresses that guards.urls allows.
	URLVerbs = []string{"event.send", "webhook"}
	// TrackerVerbs send a credential to the tracker.
	TrackerVerbs = []string{"model.promote", "model.rollback", "run.tag"}
)

// ineffective rejects settings that have no effect, such as a guard on a verb that the agent
// may not use. Otherwise the error would show only when the guard is needed.
func (v *validator) ineffective(spec *fieldPath) {
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
	v.holdEffect(guards.field("hold"))
	v.priorityEffect(spec.field("priority"))
	g := v.agent.Spec.Guards
	for _, name := range []string{"budget", "fleet"} {
		if len(v.agent.Spec.Primitives) == 0 {
			v.noEffect(guards.field(name), "bounds acts, and the agent may use no verb", "add the verbs to spec.primitives, or leave it out")
		}
	}
	if len(g.Approval) == 0 && v.readable(guards.field("approval")) {
		const message, fix = "is for what waits for a person, and no verb does", "list the verbs in spec.guards.approval, or leave it out"
		v.noEffect(guards.field("approvalNotify"), message, fix)
		if g.ApprovalExpiry.Duration != engine.DefaultApprovalExpiry { // the API server writes the default into each agent
			v.noEffect(guards.field("approvalExpiry"), message, fix)
		}
	}
	if !v.uses(URLVerbs...) && !v.has(guards.field("approvalNotify")) {
		v.noEffect(guards.field("urls"), "bounds where "+strings.Join(URLVerbs, " and ")+" go, and neither is in spec.primitives", "add the one that is meant there, or leave it out")
	}
	v.urlsEffect(guards.field("urls"))
	v.fleetEffect(guards.field("fleet").field("targets"))
	v.credentialsEffect(spec.field("credentials"), guards)
}

// noEffect rejects a value without effect, if it is set.
func (v *validator) noEffect(p *fieldPath, message, fix string) {
	if v.written(p) {
		v.reject(p, message, fix)
	}
}

// uses reports whether the agent may use one of the verbs.
func (v *validator) uses(verbs ...string) bool {
	return slices.ContainsFunc(v.agent.Spec.Primitives, func(p string) bool { return slices.Contains(verbs, p) })
}

func (v *validator) cooldownEffect(p *fieldPath) {
	for _, key := range sortedKeys(v.agent.Spec.Guards.Cooldown) {
		at, d := p.field(key), v.agent.Spec.Guards.Cooldown[key]
		_, verb := v.kinds.Verbs[key]
		switch {
		case !v.written(at):
		case (key == "up" || key == "down") && !v.uses(DirectedVerbs...):
			v.reject(at, "is for "+strings.Join(DirectedVerbs, " and ")+", which is not in spec.primitives", "add it there, or write the verb that is meant")
		case slices.Contains(DirectedVerbs, key):
			v.reject(at, key+" has a direction, and cools down by that", "write up and down in its place, like {up: 1m, down: 5m}")
		case verb && !v.uses(key):
			v.reject(at, quote(key)+" is not in spec.primitives", "add it there, or leave it out here")
		case d.Duration == 0 && !v.oppositePause(key):
			v.reject(at, "0s is no pause", "write a span like 1m, or leave it out")
		}
	}
}

// oppositePause reports whether the key is a direction and the other direction has a cooldown.
// Then 0s is not ineffective: it declares that this direction has none.
func (v *validator) oppositePause(key string) bool {
	c := v.agent.Spec.Guards.Cooldown
	return key == "up" && c["down"].Duration > 0 || key == "down" && c["up"].Duration > 0
}

func (v *validator) replicasEffect(p *fieldPath) {
	r := v.agent.Spec.Guards.Replicas
	if r == nil || !v.written(p) {
		return
	}
	switch {
	case !v.uses(ReplicaVerbs...):
		v.reject(p, "bounds "+strings.Join(ReplicaVerbs, " and ")+", and neither is in spec.primitives", "add the one that is meant there, or leave it out")
		return
	case *r == (ReplicaGuard{}) && v.allRead(p, "min", "max", "stepUp", "stepDown"):
		v.reject(p, "bounds nothing", "write min, max, stepUp or stepDown, or leave it out")
		return
	}
	if !v.uses(DirectedVerbs...) {
		for _, step := range []string{"stepUp", "stepDown"} {
			v.noEffect(p.field(step), "is for "+strings.Join(DirectedVerbs, " and ")+", which is not in spec.primitives", "add it there, or leave it out")
		}
	}
}

func (v *validator) allRead(p *fieldPath, names ...string) bool {
	return !slices.ContainsFunc(names, func(name string) bool { return !v.readable(p.field(name)) })
}

// credentialsEffect rejects credentials that are never sent, and two for the same address.
func (v *validator) credentialsEffect(p *fieldPath, guards *fieldPath) {
	sends := v.uses(URLVerbs...) || v.written(guards.field("approvalNotify"))
	for i, c := range v.agent.Spec.Credentials {
		at := p.item(i).field("url")
		if !v.written(at) || len(c.Check()) > 0 {
			continue
		}
		before := slices.IndexFunc(v.agent.Spec.Credentials[:i], func(b Credential) bool { return b.Covers(c.URL) && c.Covers(b.URL) })
		switch {
		case before >= 0:
			v.reject(at, fmt.Sprintf("is the address of credentials[%d] too, and one of them is never shown", before), "leave one out, or give each the path that it is for")
		case v.uses(TrackerVerbs...): // the manifest does not have the tracker's address
		case !sends:
			v.noEffect(at, "nothing shows this: neither event.send nor webhook is in spec.primitives", "add it there, or leave the credential out")
		case v.readable(guards) && v.readable(guards.field("urls")) && !v.reaches(&c):
			v.noEffect(at, "nothing shows this: the agent may call no address there", "add the address to spec.guards.urls, or leave the credential out")
		}
	}
}

// reaches reports whether the agent may call an address that the credential is for.
func (v *validator) reaches(c *Credential) bool {
	g := v.agent.Spec.Guards
	if !v.uses(URLVerbs...) {
		return c.Covers(g.ApprovalNotify)
	}
	if urlguard.Allowed(c.URL, g.URLs) {
		return true
	}
	return slices.ContainsFunc(g.URLs, c.Covers) // guards.urls allows a part of the credential's addresses
}

// fleetEffect rejects a blast radius of the whole fleet.
func (v *validator) fleetEffect(p *fieldPath) {
	if g := v.agent.Spec.Guards.Fleet; g != nil && g.Targets.Percent >= 100 && v.written(p) {
		v.reject(p, "is every target, which bounds nothing", "write less than 100%, or leave fleet out")
	}
}

// urlsEffect rejects duplicates, and addresses that look like patterns or ranges.
func (v *validator) urlsEffect(p *fieldPath) {
	urls := v.agent.Spec.Guards.URLs
	for i, raw := range urls {
		at := p.item(i)
		u, err := url.Parse(raw)
		if err != nil || !v.readable(at) || urlguard.PrefixProblem(raw) != nil {
			continue // reported already
		}
		if strings.ContainsAny(u.Path, "*{}") {
			v.reject(at, quote(raw)+" looks like a pattern, and is compared as it is", "end it with the path that all have; what is below is allowed too")
		}
		if _, err := netip.ParsePrefix(u.Hostname() + u.Path); err == nil {
			v.reject(at, quote(raw)+" looks like a range of addresses, and is one address with a path", "write a URL for each host")
		}
		if slices.ContainsFunc(urls[:i], func(o string) bool { return sameURL(raw, o) }) {
			v.reject(at, quote(raw)+" is in the list already", "keep one")
		}
	}
}

func sameURL(a, b string) bool { return urlguard.Below(a, b) && urlguard.Below(b, a) }

// Ineffective returns warnings: values that have no effect now, but may be meant for a later
// version of the manifest.
func (a *Agent) Ineffective() []mistake.Mistake {
	var out []mistake.Mistake
	warn := func(field, message, fix string) { out = append(out, a.MistakeAt(field, message, fix)) }
	urls := a.Spec.Guards.URLs
	for i, raw := range urls {
		if j := slices.IndexFunc(urls, func(o string) bool { return urlguard.Below(raw, o) && !urlguard.Below(o, raw) }); j >= 0 {
			warn(fmt.Sprintf("spec.guards.urls[%d]", i), fmt.Sprintf("%s is allowed by %s already", quote(raw), quote(urls[j])), "keep the one that is meant")
		}
	}
	if g, n := a.Spec.Guards.Fleet, len(a.Spec.Targets.Static); g != nil && n > 0 {
		switch {
		case n == 1:
			warn("spec.guards.fleet.targets", "bounds nothing: there is one target, and one is always allowed", "leave fleet out")
		case g.Targets.Percent == 0 && g.Targets.Count >= n:
			warn("spec.guards.fleet.targets", fmt.Sprintf("is every target, which bounds nothing: there are %d", n), "write less, or leave fleet out")
		}
	}
	for _, i := range a.uncertainSustained() {
		over := a.Spec.Sensors[i].Sustained.Over
		warn(fmt.Sprintf("spec.sensors[%d].sustained.over", i), fmt.Sprintf("is covered only while events, alerts or changes of objects come at least twice within %s, since no other trigger does", over), "add a trigger with every: "+(over.Duration/2).String()+" or less")
	}
	for i, s := range a.Spec.Sensors {
		own := cmp.Or(s.Timeout.Duration, engine.DefaultSensorTimeout)
		if d, _ := requestTimeout(s); d.Duration > own/2 {
			warn(fmt.Sprintf("spec.sensors[%d].%s.timeout", i, s.Kind), fmt.Sprintf("is %s, and a request has half of the sensor's own timeout at most: %s", d, own/2), "write less, or a longer timeout of the sensor")
		}
	}
	return out
}
