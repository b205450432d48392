package app

import (
	"context"
	"encoding/json"
	"time"

	"github.com/scanflow-k8s/scanflow/engine/manifest"
	"github.com/scanflow-k8s/scanflow/engine/policy"
)

// documentsWithin is how long the agents are waited for, for the documents that policies
// are tried on. One that is in the middle of a turn for longer is tried without.
const documentsWithin = 300 * time.Millisecond

// trial lists what policies are held against in a child process, before they are live: the
// agents that run, with their newest documents.
func (s *System) trial(ctx context.Context) policy.Trial {
	agents := *s.agents.Load()
	var documents map[string][]json.RawMessage
	if h := s.host.Load(); h != nil {
		asking, cancel := context.WithTimeout(ctx, documentsWithin)
		defer cancel()
		documents = h.Documents(asking)
	}
	var t policy.Trial
	for _, a := range agents {
		name := a.Info().String()
		schema, err := json.Marshal(manifest.DocumentSchema(a))
		if err != nil { // the daemon's own check meets it too, and says so
			continue
		}
		t.Subjects = append(t.Subjects, policy.Subject{Agent: name, Strategies: a.Spec.Strategies, Schema: schema, Documents: documents[name]})
	}
	if schema := manifest.GuardSchema(agents); schema != nil {
		t.Guards, _ = json.Marshal(schema)
	}
	return t
}
