package status

import (
	"strings"

	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/kubernetes/agentcr"
	"github.com/scanflow-k8s/scanflow/engine/kubernetes/apiclient"
	"github.com/scanflow-k8s/scanflow/engine/manifest"
)

// situation is all that the conditions of an agent follow from.
type situation struct {
	refused Refusal
	running bool
	mode    engine.Mode // of what runs
	// missing are the rights that the process lacks for the agent.
	missing []*apiclient.ForbiddenError
	// withheld are the Secrets that are not sent where the agent wants them.
	withheld []string
	// overlaps are the other agents that write a field of its targets, with no priority that
	// decides between them.
	overlaps []string
	// blocked is why the last firing could decide nothing, and problems are all its problems.
	blocked  string
	problems []string
	// recent is set while what others may still bring (policies, a Secret) is awaited.
	recent bool
}

// fault describes why an agent is not ready.
type fault struct {
	reason, message string
	// passes is set where the agent may become ready by itself.
	passes bool
}

// fault returns the fault that a person should mend first, nil where there is none.
//
//	the spec was refused            stalled; unfit for the policies: after a while, since policies may come later
//	a right is missing              stalled
//	a Secret may not be sent        stalled after a while, since the Secret may come later
//	nothing can be decided          reconciling: targets are listed, and the journal is written, again and again
//
// A sensor or a strategy that failed is none. It is a matter of the last firing, and the spec
// is carried out with it: what rests on its signal is not done. A rollout must not fail
// because of it, and Ready must not change at each firing.
func (s *situation) fault() *fault {
	switch {
	case s.refused.Reason != "":
		message := s.refused.Message
		if s.running {
			message += "; meanwhile the last accepted spec runs"
		}
		return &fault{s.refused.Reason, message, s.recent && s.refused.Reason == ReasonUnfit}
	case len(s.missing) > 0:
		return &fault{agentcr.ReasonMissingRight, explain(s.missing), false}
	case len(s.withheld) > 0:
		return &fault{agentcr.ReasonSecretsWithheld, "nothing is sent with these:\n" + strings.Join(s.withheld, "\n"), s.recent}
	case s.blocked != "":
		return &fault{"Blocked", "nothing can be decided: " + s.blocked, true}
	}
	return nil
}

// mostExplained bounds the rights that a message explains.
const mostExplained = 5

func explain(missing []*apiclient.ForbiddenError) string {
	var lines []string
	for _, e := range missing[:min(len(missing), mostExplained)] {
		lines = append(lines, e.Explain())
	}
	if len(missing) > mostExplained {
		lines = append(lines, "and more; status.missingRights lists them")
	}
	return strings.Join(lines, "\n")
}

// ready are the reason and the message of Ready, by the mode of an agent without a fault.
var ready = map[engine.Mode][2]string{
	engine.Enforce: {"Running", "the agent runs as its spec says"},
	engine.DryRun:  {"DryRun", "the agent decides as its spec says, and does nothing: its mode is dry-run"},
	engine.Paused:  {"Paused", "the agent senses and decides, and does nothing: its mode is paused"},
}

// conditions is the table of conditions. Stalled and Reconciling are absent where they don't
// hold; their times and generations are filled in by agentcr.
func conditions(s situation) []manifest.Condition {
	var out []manifest.Condition
	add := func(kind, status, reason, message string) {
		out = append(out, manifest.Condition{Type: kind, Status: status, Reason: reason, Message: message})
	}
	if f := s.fault(); f != nil {
		add(manifest.Ready, "False", f.reason, f.message)
		kind := manifest.Stalled
		if f.passes {
			kind = manifest.Reconciling
		}
		add(kind, "True", f.reason, f.message)
	} else {
		add(manifest.Ready, "True", ready[s.mode][0], ready[s.mode][1])
	}
	if s.refused.Reason == "" {
		add(manifest.Accepted, "True", "Valid", "the spec is right, and fits the policies")
	} else {
		add(manifest.Accepted, "False", s.refused.Reason, s.refused.Message)
	}
	s.addRunning(add)
	return out
}

func (s *situation) addRunning(add func(kind, status, reason, message string)) {
	if !s.running {
		add(manifest.Running, "False", "NeverAccepted", "no spec of it was right so far")
		return
	}
	reason, message := "Running", "as the spec says"
	if s.refused.Reason != "" {
		reason, message = "LastGood", "as the last spec said that was right"
	} else if len(s.missing)+len(s.withheld)+len(s.overlaps)+len(s.problems) > 0 {
		reason = "Problems"
	}
	if len(s.missing) > 0 {
		message += "; rights are missing:\n" + explain(s.missing)
	}
	if len(s.withheld) > 0 {
		message += "; nothing is sent with these:\n" + strings.Join(s.withheld, "\n")
	}
	if len(s.overlaps) > 0 {
		message += "; other agents write the same fields:\n" + strings.Join(s.overlaps, "\n")
	}
	if len(s.problems) > 0 {
		message += "; at the last firing:\n" + strings.Join(s.problems, "\n")
	}
	add(manifest.Running, "True", reason, message)
}
