package agentcheck

import (
	"fmt"
	"slices"

	"github.com/scanflow-k8s/scanflow/actuators/verbparams"
	"github.com/scanflow-k8s/scanflow/engine/manifest"
	"github.com/scanflow-k8s/scanflow/engine/mistake"
)

// protectedTargets lists the targets that an agent may annotate, where no policy may write
// their kind.
func protectedTargets(a *manifest.Agent) mistake.Mistakes {
	s, selected := a.Selector()
	i := slices.Index(a.Spec.Primitives, "annotate")
	if !selected || i < 0 {
		return nil
	}
	reason := verbparams.Protected(s.APIVersion, s.Kind)
	if reason == "" {
		return nil
	}
	return mistake.Mistakes{a.MistakeAt(fmt.Sprintf("spec.primitives[%d]", i), "annotate: "+verbparams.ProtectedMessage(s.APIVersion, s.Kind, reason), "leave it out, or select another kind")}
}
