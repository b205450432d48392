package demo

import (
	"cmp"
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"sync"
	"time"

	"github.com/scanflow-k8s/scanflow/cmd/internal/plot"
	"github.com/scanflow-k8s/scanflow/engine"
)

// narrator prints one line per decision, and keeps the acts for the report.
type narrator struct {
	screen         *screen
	mu             sync.Mutex
	acts           []Act
	loggedRefusals map[string]bool // refusals since the last admission
}

// Act is one act of the run.
type Act struct {
	// AtSeconds is the time of the decision, since the load began.
	AtSeconds float64 `json:"at_s"`
	// EndedSeconds is the time at which it ended.
	EndedSeconds float64        `json:"ended_s"`
	Target       string         `json:"target"`
	Strategy     string         `json:"strategy"`
	Primitive    string         `json:"primitive"`
	With         map[string]any `json:"with"`
	Change       string         `json:"change"`
	Reason       string         `json:"reason"`
	Direction    string         `json:"direction,omitempty"`
	Outcome      string         `json:"outcome"`
	Identity     string         `json:"identity"`
}

// Fired prints the decisions. A refusal is printed too: it shows what prevented the act.
func (n *narrator) Fired(f engine.FiringRecord) {
	for _, p := range f.Problems {
		n.screen.printf("  %s  %s", n.screen.clock(f.At), n.screen.alarm(plot.Line(p)))
	}
	for _, d := range f.Decisions {
		what, why := plot.Line(d.Detail), plot.Line(d.Reason)
		switch d.Verdict {
		case engine.Admitted:
			what = n.screen.good(plot.Line(d.Primitive) + " " + what)
			n.isNewRefusal(d, true)
		case engine.Refused:
			// The scenario itself paused the agent.
			if d.By == "mode" || !n.isNewRefusal(d, false) {
				continue
			}
			what = n.screen.dim(plot.Line(fmt.Sprintf("%s %s held back by %s", d.Primitive, paramsText(d.With), d.By)))
		case engine.Unchanged:
			continue
		}
		n.screen.printf("  %s  %s  %s  %s: %s %s", n.screen.clock(f.At), plot.Line(d.Target.String()), plot.Line(cmp.Or(signalText(d), senderText(f.Trigger), "-")), plot.Line(d.Strategy), what, n.screen.dim("("+why+")"))
	}
}

// isNewRefusal reports whether a refusal has not been printed since the last admission.
func (n *narrator) isNewRefusal(d engine.Decision, admitted bool) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	if admitted || n.loggedRefusals == nil {
		n.loggedRefusals = map[string]bool{}
	}
	key := d.Target.String() + " " + d.Strategy + " " + d.By
	if admitted || n.loggedRefusals[key] {
		return false
	}
	n.loggedRefusals[key] = true
	return true
}

// Acted keeps an act, and prints a failed one.
func (n *narrator) Acted(a engine.Act) {
	n.mu.Lock()
	n.acts = append(n.acts, Act{
		AtSeconds: seconds(a.At.Sub(n.screen.startTime())), EndedSeconds: seconds(a.EndedAt.Sub(n.screen.startTime())), Target: a.Target.String(), Strategy: a.Strategy, Primitive: a.Primitive, With: a.With,
		Change: a.Change.Diff, Reason: a.Change.Proposal.Reason, Direction: string(a.Direction), Outcome: string(a.Outcome.Status), Identity: a.Identity,
	})
	n.mu.Unlock()
	if a.Outcome.Status == engine.Failed {
		n.screen.printf("  %s  %s  %s", n.screen.clock(a.EndedAt), plot.Line(a.Target.String()), n.screen.alarm(plot.Line(a.Primitive+" failed: "+a.Outcome.Detail)))
	}
}

func (n *narrator) list() []Act {
	n.mu.Lock()
	defer n.mu.Unlock()
	return append([]Act{}, n.acts...)
}

func seconds(d time.Duration) float64 { return float64(d.Milliseconds()) / 1000 }

// signalText formats the signals of a decision with their values.
func signalText(d engine.Decision) string {
	var doc struct {
		Signals map[string]struct {
			State string
			Value any
		}
	}
	_ = json.Unmarshal(d.Document, &doc) // without a readable document, no values are shown
	parts := []string{}
	for _, name := range d.Because {
		name, _, _ = strings.Cut(name, ":")
		s := doc.Signals[name]
		text := s.State
		if v, isNumber := s.Value.(float64); isNumber {
			text = number(v)
		}
		parts = append(parts, name+" "+text)
	}
	return strings.Join(parts, ", ")
}

// number formats a value with three significant digits, or as an integer.
func number(v float64) string {
	if math.Abs(v) >= 1000 {
		return fmt.Sprintf("%.0f", v)
	}
	return fmt.Sprintf("%.3g", v)
}

// senderText describes the sender of the event that triggered a decision without signals.
func senderText(t engine.TriggerInfo) string {
	if t.Event == nil {
		return ""
	}
	return "asked by " + t.Event.Sender
}

func paramsText(with map[string]any) string {
	raw, err := json.Marshal(with)
	if err != nil {
		return ""
	}
	return strings.NewReplacer(`"`, "", "{", "", "}", "", ":", " ").Replace(string(raw))
}
