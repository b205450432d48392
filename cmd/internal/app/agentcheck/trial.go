package agentcheck

import (
	"encoding/json"

	"github.com/scanflow-k8s/scanflow/engine/manifest"
	"github.com/scanflow-k8s/scanflow/engine/policy"
)

// Trial lists what a child process tries new policies on before they go live: the agents
// that run, each with its newest documents, by agent.
func Trial(agents []*manifest.Agent, documents map[string][]json.RawMessage) policy.Trial {
	var t policy.Trial
	for _, a := range agents {
		name := a.Info().String()
		schema, err := json.Marshal(manifest.DocumentSchema(a))
		if err != nil { // Verify fails on it too, and reports it
			continue
		}
		t.Subjects = append(t.Subjects, policy.Subject{Agent: name, Strategies: a.Spec.Strategies, Schema: schema, Documents: documents[name]})
	}
	if schema := manifest.GuardSchema(agents); schema != nil {
		t.Guards, _ = json.Marshal(schema)
	}
	return t
}
