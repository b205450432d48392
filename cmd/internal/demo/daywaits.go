package demo

import (
	"regexp"
	"strings"
	"time"

	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/journal"
)

// Wait is a proposal of an agent that was refused at first, from the journal.
type Wait struct {
	AtSeconds float64 `json:"at_s"`
	Agent     string  `json:"agent"`
	Primitive string  `json:"primitive"`
	Wanted    string  `json:"wanted"` // its parameters at the first refusal
	Reason    string  `json:"reason"`
	// For lists the causes of the wait in order. The journal has a row for each change of the
	// cause.
	For []WaitCause `json:"for"`
	// Ended is admitted, not wanted (any more), or open (at the end of the run).
	Ended string `json:"ended"`
	// Seconds is the time until the act was admitted, and Decision that decision; null and ""
	// if it was not.
	Seconds  *float64 `json:"seconds"`
	Decision string   `json:"decision,omitempty"`

	refusalKey string
}

// WaitCause is one refusal of a wait.
type WaitCause struct {
	AtSeconds float64 `json:"at_s"`
	Decision  string  `json:"decision"`
	By        string  `json:"by"` // the guard
	// Agent and Claim are the holder of the claim that it waits for; "" if it does not wait
	// for another agent, for example because of its own cooldown.
	Agent  string `json:"agent,omitempty"`
	Claim  string `json:"claim,omitempty"`
	Detail string `json:"detail"`
	// Seconds is the duration of this cause; null if it is not known because the proposal was
	// not repeated.
	Seconds *float64 `json:"seconds"`
}

const (
	waitAdmitted = "admitted"
	waitDropped  = "not wanted"
	waitOpen     = "open"
)

// claimHolderPatterns match the agent and the claim in the refusals of the guard layers, and
// in those of the engine because of a claim.
var claimHolderPatterns = []*regexp.Regexp{
	regexp.MustCompile(`under_change: (?P<agent>\S+) holds (?P<claim>[^\s;]+)`),
	regexp.MustCompile(`(?P<claim>\S+) is held by \S+ of (?P<agent>\S+) \(`),
}

func newWaitCause(r journal.Row, began time.Time) WaitCause {
	h := WaitCause{AtSeconds: seconds(r.At.Sub(began)), Decision: r.ID, By: r.By, Detail: r.Detail}
	for _, form := range claimHolderPatterns {
		found := form.FindStringSubmatch(r.Detail)
		if found == nil {
			continue
		}
		if agent := found[form.SubexpIndex("agent")]; agent != r.Agent {
			h.Agent, h.Claim = agent, found[form.SubexpIndex("claim")]
		}
		return h
	}
	return h
}

// findWaits finds the waits in a journal's decisions, oldest first. The engine records a
// refusal if it differs from the previous one, and again if nothing was proposed in between;
// the latter begins another wait.
func findWaits(rows []journal.Row, began time.Time) []Wait {
	out := []Wait{}
	open := map[string]int{} // of agent, target, strategy and verb; to an index of out
	for _, r := range rows {
		key := strings.Join([]string{r.Agent, r.Target.String(), r.Strategy, r.Primitive}, "|")
		i, waits := open[key]
		now := seconds(r.At.Sub(began))
		if waits && out[i].Reason != r.Reason {
			out[i].Ended, waits = waitDropped, false
			delete(open, key)
		}
		switch r.Verdict {
		case engine.Admitted:
			if waits {
				took := now - out[i].AtSeconds
				out[i].endLastCause(now)
				out[i].Ended, out[i].Seconds, out[i].Decision = waitAdmitted, &took, r.ID
				delete(open, key)
			}
		case engine.Refused:
			gist := strings.Join([]string{paramsText(r.With), r.By, r.Detail}, "|")
			if waits && out[i].refusalKey == gist && r.Trigger.Event == nil {
				out[i].Ended, waits = waitDropped, false
			}
			if !waits {
				out = append(out, Wait{AtSeconds: now, Agent: r.Agent, Primitive: r.Primitive, Wanted: paramsText(r.With), Reason: r.Reason, Ended: waitOpen})
				i = len(out) - 1
				open[key] = i
			}
			out[i].endLastCause(now)
			out[i].For, out[i].refusalKey = append(out[i].For, newWaitCause(r, began)), gist
		default:
		}
	}
	return out
}

// blockingAgents returns the agents that a wait was for, in order.
func (w *Wait) blockingAgents() (agents []string) {
	seen := map[string]bool{}
	for _, h := range w.For {
		if h.Agent != "" && !seen[h.Agent] {
			seen[h.Agent] = true
			agents = append(agents, h.Agent)
		}
	}
	return agents
}

// acrossLayers reports whether a wait was for an agent of another layer.
func (w *Wait) acrossLayers(layers map[string]string) bool {
	for _, agent := range w.blockingAgents() {
		if layers[agent] != layers[w.Agent] {
			return true
		}
	}
	return false
}

// endLastCause sets the duration of the last cause.
func (w *Wait) endLastCause(now float64) {
	if n := len(w.For); n > 0 {
		took := now - w.For[n-1].AtSeconds
		w.For[n-1].Seconds = &took
	}
}
