package manifest

import (
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"

	"github.com/scanflow-k8s/scanflow/engine/urlguard"
)

func (v *validator) guards(p *fieldPath) {
	g := v.agent.Spec.Guards
	v.replicas(p.field("replicas"), g.Replicas)
	for _, key := range sortedKeys(g.Cooldown) {
		if _, verb := v.kinds.Verbs[key]; !verb && key != "up" && key != "down" {
			fix := "write up, down, or a verb"
			if near := closest(key, append(v.kinds.verbNames(), "up", "down")); near != "" {
				fix = "did you mean " + near + "? It is up, down, or a verb"
			}
			v.reject(p.field("cooldown").field(key), "is neither a direction nor a primitive", fix+": "+list(v.kinds.verbNames()))
		}
	}
	if at := p.field("budget"); g.Budget != nil {
		v.atLeast(at.field("actions"), g.Budget.Actions, 1, "")
		v.positive(at.field("per"), g.Budget.Per, "write a span like 1h")
		v.bound(at.field("primitives"), g.Budget.Primitives)
	}
	if at := p.field("fleet"); g.Fleet != nil {
		v.positive(at.field("per"), g.Fleet.Per, "write a span like 10m")
		v.bound(at.field("primitives"), g.Fleet.Primitives)
	}
	v.ownVerbs(p.field("approval"), g.Approval)
	v.positive(p.field("approvalExpiry"), g.ApprovalExpiry, "leave it out for 24h")
	v.notify(p.field("approvalNotify"), p.field("urls"), g)
	for i, raw := range g.URLs {
		if at := p.field("urls").item(i); v.readable(at) {
			v.prefix(at, raw)
		}
	}
}

func (v *validator) replicas(p *fieldPath, r *ReplicaGuard) {
	if r == nil {
		return
	}
	v.atLeast(p.field("min"), r.Min, 0, "")
	v.atLeast(p.field("max"), r.Max, 1, "leave it out for no bound")
	v.atLeast(p.field("stepUp"), r.StepUp, 1, "leave it out for no bound")
	v.atLeast(p.field("stepDown"), r.StepDown, 1, "leave it out for no bound")
	if v.written(p.field("max")) && v.readable(p.field("min")) && r.Min > r.Max {
		v.reject(p.field("min"), fmt.Sprintf("%d is more than max (%d)", r.Min, r.Max), "make min less or max more")
	}
}

func (v *validator) atLeast(p *fieldPath, n, least int, fix string) {
	if v.written(p) && n < least {
		v.reject(p, fmt.Sprintf("%d is too small", n), strings.TrimSuffix(fmt.Sprintf("write %d or more, or %s", least, fix), ", or "))
	}
}

// bound checks the verbs that a guard counts.
func (v *validator) bound(p *fieldPath, verbs []string) {
	if v.written(p) && len(verbs) == 0 {
		v.reject(p, "is empty, so that the guard bounds nothing", "name a verb, or leave it out for all of them")
	}
	v.ownVerbs(p, verbs)
}

// ownVerbs rejects verbs that are not in spec.primitives.
func (v *validator) ownVerbs(p *fieldPath, verbs []string) {
	names := map[string]bool{}
	for i, verb := range verbs {
		at := p.item(i)
		v.distinct(at, verb, names)
		if v.readable(at) && v.readable(v.root.field("spec").field("primitives")) && !slices.Contains(v.agent.Spec.Primitives, verb) {
			v.reject(at, quote(verb)+" is not in spec.primitives", "add it there, or leave it out here")
		}
	}
}

const notifyFix = "write it like https://hooks.example.com/approvals"

// notify checks the address for approval notices, which the agent must be allowed to call.
func (v *validator) notify(p, urls *fieldPath, g Guards) {
	if !v.written(p) {
		return
	}
	u, err := url.Parse(g.ApprovalNotify)
	switch {
	case err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https":
		v.reject(p, "is not an address", notifyFix)
	case u.User != nil, !v.readable(urls): // reported already
	case urlguard.Problem(g.ApprovalNotify) != nil:
		v.reject(p, "is an address that servers read differently: "+urlguard.Problem(g.ApprovalNotify).Error(), notifyFix)
	case !urlguard.Allowed(g.ApprovalNotify, g.URLs):
		v.reject(p, "is not under any address that this agent may call", "add what it begins with to spec.guards.urls, like "+u.Scheme+"://"+u.Host+"/")
	}
}

// prefix checks an address below which webhooks may go. It may have a scheme, a host and a
// path, and nothing else.
func (v *validator) prefix(p *fieldPath, raw string) {
	const fix = "write it like https://hooks.example.com/ or https://hooks.example.com/team/"
	u, err := url.Parse(raw)
	switch {
	case err != nil:
		v.reject(p, quote(raw)+" is not a URL", fix)
	case u.Scheme != "http" && u.Scheme != "https":
		v.reject(p, quote(raw)+" has no scheme http or https", fix)
	case u.Hostname() == "":
		v.reject(p, quote(raw)+" has no host", fix)
	case strings.Contains(u.Host, "*"):
		v.reject(p, quote(raw)+" has a pattern for its host", "write a URL for each host")
	case u.RawQuery != "" || u.ForceQuery || strings.Contains(raw, "#"):
		v.reject(p, quote(raw)+" has a query or a fragment", "end it with the path")
	case slices.Contains(strings.Split(u.Path, "/"), ".."):
		v.reject(p, quote(raw)+" goes up with ..", "write the path that is meant")
	case u.User != nil: // reported already
	default:
		if err := urlguard.PrefixProblem(raw); err != nil {
			v.reject(p, quote(raw)+" bounds nothing: "+err.Error(), fix)
		}
	}
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
