package agentcheck

import (
	"context"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"time"

	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/manifest"
	"github.com/scanflow-k8s/scanflow/engine/mistake"
	"github.com/scanflow-k8s/scanflow/engine/policy"
)

var (
	// problemOfParam matches the text in which a strategy names a mistake in a param: its path, and
	// the mistake.
	problemOfParam = regexp.MustCompile(`^params\.([A-Za-z0-9_]+(?:\[[0-9]+\]|\.[A-Za-z0-9_]+)*):? (.+)$`)
	unknownZone    = regexp.MustCompile(`unknown time zone (\S+)`)
)

// ParamProblems lists what strategies say of the params of their agents: they propose it as
// `"with": {"mistakes": [...]}`, and the decisions show it at each turn. The strategies are
// evaluated on a target of which nothing was measured, and only texts that begin with
// `params.` count: others may be about the target. A time zone of the params that is not
// known is a mistake too.
func ParamProblems(ctx context.Context, agents []*manifest.Agent, rev *policy.Revision) mistake.Mistakes {
	var out mistake.Mistakes
	for _, a := range agents {
		present := slices.DeleteFunc(slices.Clone(a.Spec.Strategies), func(s string) bool { return !rev.Has(s) })
		found := rev.Evaluate(ctx, present, unmeasured(a))
		for _, p := range found.Proposals {
			texts, _ := p.With["mistakes"].([]any)
			if len(p.With) != 1 {
				continue
			}
			for _, v := range texts {
				text, _ := v.(string)
				if parts := problemOfParam.FindStringSubmatch(text); parts != nil {
					out = append(out, a.MistakeAt("spec.params."+parts[1], parts[2]+" (says "+p.Strategy+")", ""))
				}
			}
		}
		for _, p := range found.Problems {
			if parts := unknownZone.FindStringSubmatch(p.Message); parts != nil {
				out = append(out, misspeltZone(a, p.Strategy, parts[1])...)
			}
		}
	}
	return slices.Compact(out)
}

// misspeltZone returns a mistake for each param that is the time zone which a strategy found
// unknown.
func misspeltZone(a *manifest.Agent, strategy, zone string) mistake.Mistakes {
	var out mistake.Mistakes
	for _, name := range slices.Sorted(maps.Keys(a.Spec.Params)) {
		if a.Spec.Params[name] == zone {
			out = append(out, a.MistakeAt("spec.params."+name, fmt.Sprintf("%q is no known time zone (says %s)", zone, strategy), "write a name of the IANA database, as Europe/Madrid, or UTC"))
		}
	}
	return out
}

// unmeasured is the document of a target of an agent of which nothing was measured yet.
func unmeasured(a *manifest.Agent) *engine.Document {
	info := a.Info()
	doc := &engine.Document{
		Agent: &info, Now: time.Unix(0, 0), Trigger: &engine.TriggerInfo{Kind: "manual"}, Params: a.Spec.Params,
		Target: engine.Target{APIVersion: a.Spec.Targets.APIVersion, Kind: a.Spec.Targets.Kind, Namespace: info.Namespace, Name: "target"},
	}
	if len(a.Spec.Targets.Static) == 0 {
		doc.Target.Replicas = &engine.Replicas{Desired: 1, Ready: 1}
	}
	for _, s := range a.Spec.Sensors {
		doc.Names = append(doc.Names, s.Name)
		doc.Signals = append(doc.Signals, engine.Signal{State: engine.Empty})
	}
	return doc
}
