package kubernetes

import "github.com/scanflow-k8s/scanflow/actuators/workflowrun"

// end returns the content of the event about the run's end.
func (p *workflowPlan) end(s *runState) *workflowrun.End {
	return &workflowrun.End{
		Identity: p.Identity, Namespace: p.Namespace, Run: p.Name, ClaimName: p.Called, Template: p.Template.Name,
		Agent: p.Agent, Target: p.Target, Hops: p.Hops, Phase: s.phase, Message: s.message, At: s.endedAt, Outputs: s.outputs,
	}
}
