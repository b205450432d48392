package agentcheck

import (
	"fmt"
	"slices"

	"github.com/scanflow-k8s/scanflow/actuators/verbparams"
	"github.com/scanflow-k8s/scanflow/engine/manifest"
	"github.com/scanflow-k8s/scanflow/engine/mistake"
	"github.com/scanflow-k8s/scanflow/engine/policy"
)

// protectedKinds lists the objects that an agent's strategies propose to apply as literals,
// and the targets that it may annotate, where no policy may write their kind.
func protectedKinds(a *manifest.Agent, rev *policy.Revision, strategies []string) Mismatches {
	var all Mismatches
	if s, selected := a.Selector(); selected {
		if i := slices.Index(a.Spec.Primitives, "annotate"); i >= 0 {
			if reason := verbparams.Protected(s.APIVersion, s.Kind); reason != "" {
				all = append(all, a.MistakeAt(fmt.Sprintf("spec.primitives[%d]", i), "annotate: "+verbparams.ProtectedMessage(s.APIVersion, s.Kind, reason), "leave it out, or select another kind").Error())
			}
		}
	}
	if !slices.Contains(a.Spec.Primitives, "apply") {
		return all
	}
	for _, strategy := range strategies {
		for _, o := range rev.Objects(strategy) {
			if reason := verbparams.Protected(o.APIVersion, o.Kind); o.Primitive == "apply" && reason != "" {
				m := mistake.Mistake{File: o.File, Line: o.Line, Message: "apply: " + verbparams.ProtectedMessage(o.APIVersion, o.Kind, reason), Fix: "let a person write it"}
				all = append(all, fmt.Sprintf("%s, for agent %s of %s", m.Error(), a.Info(), a.File))
			}
		}
	}
	return all
}
