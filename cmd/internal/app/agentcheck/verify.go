// Package agentcheck compares agents with the policies that they would run on. Verify
// finds what must be refused; Warnings finds what is accepted and most likely a mistake.
// It reads manifests and compiled policies, and nothing else. Start reading at Verify.
package agentcheck

import (
	"fmt"
	"strings"

	"github.com/scanflow-k8s/scanflow/engine/manifest"
	"github.com/scanflow-k8s/scanflow/engine/policy"
)

// Mismatches are the reasons why agents and policies can't run together.
type Mismatches []string

// Error lists every reason, one a line.
func (m Mismatches) Error() string { return strings.Join(m, "\n") }

// Verify checks agents against policies: each strategy exists and reads only what the
// agent's document has; each guard reads only what the document of some agent has, since
// a misspelt name would never deny; and params have the types that rules expect. The
// error is of type Mismatches and lists everything.
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
	var all Mismatches
	for _, a := range agents {
		all = append(all, VerifyStrategies(a, rev)...)
	}
	if schema := manifest.GuardSchema(among); schema != nil {
		for _, m := range rev.CheckGuards(schema) {
			all = append(all, m.Error()+", of all the agents' documents")
		}
	}
	if len(all) == 0 {
		return nil
	}
	return all
}

// VerifyStrategies lists why one agent can't run its strategies.
func VerifyStrategies(a *manifest.Agent, rev *policy.Revision) Mismatches {
	var all Mismatches
	present := []string{}
	for i, s := range a.Spec.Strategies {
		if !rev.Has(s) {
			all = append(all, a.MistakeAt(fmt.Sprintf("spec.strategies[%d]", i), fmt.Sprintf("no strategy %q in the policies", s), "they have "+strings.Join(rev.Strategies(), ", ")).Error())
			continue
		}
		present = append(present, s)
	}
	for _, m := range rev.CheckAgainst(manifest.DocumentSchema(a), present) {
		all = append(all, fmt.Sprintf("%s, for agent %s of %s", m, a.Info(), a.File))
	}
	all = append(all, protectedKinds(a, rev, present)...)
	return append(all, mistypedParams(a, rev.Params(present))...)
}
