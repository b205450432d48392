// Package agentcheck compares agents with the policies that they would run on. Verify
// finds what must be refused; Warnings finds what is accepted and most likely a mistake.
// It reads manifests and compiled policies, and nothing else. Start reading at Verify.
package agentcheck

import (
	"fmt"

	"github.com/scanflow-k8s/scanflow/engine/manifest"
	"github.com/scanflow-k8s/scanflow/engine/mistake"
	"github.com/scanflow-k8s/scanflow/engine/policy"
)

// Verify checks agents against policies: each strategy exists, reads only what the
// agent's document has, and proposes what its verbs take; each guard names verbs that exist,
// and reads only what the document of some agent has that it binds, since a misspelt name
// would never deny; and params have the types that rules expect. The error is of type
// mistake.Mistakes and lists everything.
func Verify(agents []*manifest.Agent, rev *policy.Revision) error {
	return VerifyAmong(agents, agents, rev)
}

// VerifyReadable is Verify for agents that are a part of those written, since others can't be
// read. Guards are not checked: they may read what only the others have.
func VerifyReadable(agents []*manifest.Agent, rev *policy.Revision) error {
	return VerifyAmong(agents, nil, rev)
}

// VerifyAmong is Verify for some of the agents. Guards may read what any of all has.
func VerifyAmong(agents, among []*manifest.Agent, rev *policy.Revision) error {
	all := parameterMistakes(rev)
	dead, _ := unknownVerbs(rev)
	all = append(all, dead...)
	for _, a := range agents {
		all = append(all, VerifyStrategies(a, rev)...)
	}
	all = append(all, verifyGuards(among, rev)...)
	return all.Err()
}

// VerifyStrategies lists why one agent can't run its strategies.
func VerifyStrategies(a *manifest.Agent, rev *policy.Revision) mistake.Mistakes {
	var all mistake.Mistakes
	present := []string{}
	for i, s := range a.Spec.Strategies {
		if !rev.Has(s) {
			all = append(all, noStrategy(a, i, rev))
			continue
		}
		present = append(present, s)
	}
	var signals []string
	for _, s := range a.Spec.Sensors {
		signals = append(signals, s.Name)
	}
	for _, found := range [][]mistake.Mistake{rev.CheckAgainst(manifest.DocumentSchema(a), present), rev.CheckEvidence(signals, present)} {
		for _, m := range found {
			m.Context = fmt.Sprintf("for agent %s of %s", a.Info(), a.File)
			all = append(all, m)
		}
	}
	for _, s := range present {
		dead, _ := unlistedVerbs(a, rev, s)
		all = append(all, dead...)
	}
	all = append(all, protectedTargets(a)...)
	return append(all, mistypedParams(a, rev.Params(present, boundBy(a)))...)
}
