package agentcheck

import (
	"fmt"
	"slices"

	"github.com/hashicorp/go-hclog"

	"github.com/scanflow-k8s/scanflow/engine/manifest"
	"github.com/scanflow-k8s/scanflow/engine/mistake"
	"github.com/scanflow-k8s/scanflow/engine/policy"
)

// Warnings lists what is accepted and most likely a mistake: a strategy that proposes a
// primitive which does not exist or which the agent does not list, so that every such
// proposal is refused; replicas without a bound; and settings without effect, such as a mark
// that no sensor counts from or a param that no rule reads.
func Warnings(agents []*manifest.Agent, rev *policy.Revision) mistake.Mistakes {
	_, out := unknownVerbs(rev)
	for _, a := range agents {
		for _, s := range a.Spec.Strategies {
			_, unlisted := unlistedVerbs(a, rev, s)
			out = append(out, unlisted...)
			for _, m := range rev.Marks(s) {
				if !slices.ContainsFunc(a.Spec.Sensors, func(c manifest.Sensor) bool { return c.Since == m.Mark }) {
					out = append(out, a.MistakeAt("spec.sensors", fmt.Sprintf("none counts since %s, a mark that strategy %s sets (%s:%d)", m.Mark, s, m.File, m.Line), "add since: "+m.Mark+" to the one that is meant, or correct the name"))
				}
			}
		}
		out = append(append(out, unboundedReplicas(a)...), unused(a, rev)...)
	}
	out = append(out, unknownScopeAgents(agents, rev)...)
	return slices.Compact(append(out, impossibleComparisons(agents, rev)...))
}

// LogUnused logs the settings of agents that have no effect. Other warnings show in the
// decisions; these leave no trace there.
func LogUnused(log hclog.Logger, rev *policy.Revision, agents ...*manifest.Agent) {
	for _, a := range agents {
		for _, message := range unused(a, rev) {
			log.Warn("of an agent, something does nothing", "agent", a.Info().String(), "error", message.Error())
		}
	}
}

// LogAllUnused is LogUnused for all agents together, and for the policies.
func LogAllUnused(log hclog.Logger, rev *policy.Revision, agents []*manifest.Agent) {
	LogUnused(log, rev, agents...)
	for _, message := range impossibleComparisons(agents, rev) {
		log.Warn("of the policies, something does nothing", "error", message.Error())
	}
}
