package demo

import (
	"regexp"
	"strings"
	"time"

	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/journal"
)

// Wait is something that an agent wanted and was refused at first, as the journal has it.
type Wait struct {
	AtSeconds float64 `json:"at_s"`
	Agent     string  `json:"agent"`
	Primitive string  `json:"primitive"`
	Wanted    string  `json:"wanted"` // its parameters, when it was first refused
	Reason    string  `json:"reason"`
	// For lists the causes of the wait, in order; the journal has a row where that changed.
	For []Holdup `json:"for"`
	// Ended says how: admitted, not wanted (any more), or open (at the end of the run).
	Ended string `json:"ended"`
	// Seconds is how long it was until the act was admitted, and Decision that decision;
	// null and "" where it was not.
	Seconds  *float64 `json:"seconds"`
	Decision string   `json:"decision,omitempty"`

	gist string
}

// Holdup is one refusal of a wait.
type Holdup struct {
	AtSeconds float64 `json:"at_s"`
	Decision  string  `json:"decision"`
	By        string  `json:"by"` // the guard
	// Agent and Claim are whose act it waits for, and what that holds; "" where it waits
	// for no other agent, as in a cooldown of its own.
	Agent  string `json:"agent,omitempty"`
	Claim  string `json:"claim,omitempty"`
	Detail string `json:"detail"`
	// Seconds is how long it was for this; null where nobody knows, as nothing was wanted
	// some time later.
	Seconds *float64 `json:"seconds"`
}

const (
	waitAdmitted = "admitted"
	waitDropped  = "not wanted"
	waitOpen     = "open"
)

// heldBy finds agent and claim in what the guard layers says, and in what the engine says
// of a claim that another holds.
var heldBy = []*regexp.Regexp{
	regexp.MustCompile(`under_change: (?P<agent>\S+) holds (?P<claim>[^\s;]+)`),
	regexp.MustCompile(`(?P<claim>\S+) is held by \S+ of (?P<agent>\S+) \(`),
}

func holdup(r journal.Row, began time.Time) Holdup {
	h := Holdup{AtSeconds: seconds(r.At.Sub(began)), Decision: r.ID, By: r.By, Detail: r.Detail}
	for _, form := range heldBy {
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

// waitsOf are the waits in a journal's decisions, which come the oldest first. The engine
// writes a refusal down where it differs from the one before, and again where nothing was
// wanted in between: then it is another wait.
func waitsOf(rows []journal.Row, began time.Time) []Wait {
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
				out[i].lasted(now)
				out[i].Ended, out[i].Seconds, out[i].Decision = waitAdmitted, &took, r.ID
				delete(open, key)
			}
		case engine.Refused:
			gist := strings.Join([]string{parameters(r.With), r.By, r.Detail}, "|")
			if waits && out[i].gist == gist && r.Trigger.Event == nil {
				out[i].Ended, waits = waitDropped, false
			}
			if !waits {
				out = append(out, Wait{AtSeconds: now, Agent: r.Agent, Primitive: r.Primitive, Wanted: parameters(r.With), Reason: r.Reason, Ended: waitOpen})
				i = len(out) - 1
				open[key] = i
			}
			out[i].lasted(now)
			out[i].For, out[i].gist = append(out[i].For, holdup(r, began)), gist
		default:
		}
	}
	return out
}

// forAgents are the agents that a wait was for, in order.
func (w *Wait) forAgents() (agents []string) {
	seen := map[string]bool{}
	for _, h := range w.For {
		if h.Agent != "" && !seen[h.Agent] {
			seen[h.Agent] = true
			agents = append(agents, h.Agent)
		}
	}
	return agents
}

// across reports whether a wait was for an agent of another layer.
func (w *Wait) across(layers map[string]string) bool {
	for _, agent := range w.forAgents() {
		if layers[agent] != layers[w.Agent] {
			return true
		}
	}
	return false
}

// lasted notes the end of the last holdup.
func (w *Wait) lasted(now float64) {
	if n := len(w.For); n > 0 {
		took := now - w.For[n-1].AtSeconds
		w.For[n-1].Seconds = &took
	}
}
