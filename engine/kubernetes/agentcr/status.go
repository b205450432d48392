package agentcr

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/util/jsonmergepatch"

	"github.com/scanflow-k8s/scanflow/engine/manifest"
)

// LastDecision is what became of a proposal.
type LastDecision = manifest.LastDecision

// Status is what is true of an agent.
type Status struct {
	// ObservedGeneration is the Found.Generation that all this is about.
	ObservedGeneration int64
	// Accepted, with its reason (a word in CamelCase, "" for the usual one) and
	// message, tells whether the spec can be run as it is.
	Accepted        bool
	Reason, Message string
	// Running tells whether this process runs the agent.
	Running                       bool
	RunningReason, RunningMessage string
	Targets                       int
	// PolicyRevision, where it is "", leaves what the cluster shows.
	PolicyRevision string
	// LastDecision, where it is nil, leaves what the cluster shows.
	LastDecision *LastDecision
	// LastGood is the spec that runs instead of one that is not accepted; nil shows none.
	LastGood map[string]any
}

// next is what the cluster should show, now that it shows something already.
func (s Status) next(shown manifest.Status, now time.Time) manifest.Status {
	out := manifest.Status{
		ObservedGeneration: s.ObservedGeneration,
		Conditions:         slices.Clone(shown.Conditions), // those of others stay
		Targets:            s.Targets,
		PolicyRevision:     cmp.Or(bounded(s.PolicyRevision), shown.PolicyRevision),
		LastDecision:       shown.LastDecision,
		LastGood:           s.LastGood,
	}
	if d := s.LastDecision; d != nil {
		out.LastDecision = &LastDecision{
			Time: seconds(d.Time.Time), Target: bounded(d.Target), Primitive: bounded(d.Primitive),
			Verdict: bounded(d.Verdict), Reason: bounded(d.Reason), Summary: bounded(d.Summary), Detail: bounded(d.Detail),
		}
	}
	s.condition(&out.Conditions, manifest.Accepted, s.Accepted, cmp.Or(s.Reason, word(s.Accepted, "Accepted", "Mistakes")), s.Message, now)
	s.condition(&out.Conditions, manifest.Running, s.Running, cmp.Or(s.RunningReason, word(s.Running, "Running", "NotRunning")), s.RunningMessage, now)
	return out
}

// condition sets one of the conditions. The time moves only when its status does.
func (s Status) condition(all *[]manifest.Condition, name string, holds bool, reason, message string, now time.Time) {
	c := manifest.Condition{
		Type: name, Status: word(holds, "True", "False"), ObservedGeneration: s.ObservedGeneration,
		LastTransitionTime: seconds(now), Reason: bounded(reason), Message: bounded(message),
	}
	i := slices.IndexFunc(*all, func(o manifest.Condition) bool { return o.Type == name })
	if i < 0 {
		*all = append(*all, c)
		return
	}
	if (*all)[i].Status == c.Status {
		c.LastTransitionTime = seconds((*all)[i].LastTransitionTime.Time)
	}
	(*all)[i] = c
}

func word(yes bool, whenTrue, whenFalse string) string {
	if yes {
		return whenTrue
	}
	return whenFalse
}

// seconds is a time as Kubernetes writes times.
func seconds(t time.Time) manifest.Time { return manifest.Time{Time: t.UTC().Truncate(time.Second)} }

// bounded cuts a text to what the resource may hold.
func bounded(text string) string {
	if len(text) <= manifest.MaxMessageLength {
		return text
	}
	const end = "..."
	runes := []rune(text)
	return string(runes[:min(len(runes), manifest.MaxMessageLength-len(end))]) + end
}

// patch is the merge patch that makes the cluster show the status; nil where it does
// already. The UID keeps it from an agent that was made anew under the same name, the
// version from one that shows something else by now: a merge patch replaces lists.
func (s Status) patch(e entry, now time.Time) ([]byte, error) {
	before, err := json.Marshal(e.status)
	if err != nil {
		return nil, fmt.Errorf("write the status shown as JSON: %w", err)
	}
	after, err := json.Marshal(s.next(e.status, now))
	if err != nil {
		return nil, fmt.Errorf("write the status as JSON: %w", err)
	}
	if bytes.Equal(before, after) {
		return nil, nil
	}
	status, err := jsonmergepatch.CreateThreeWayJSONMergePatch(before, after, before)
	if err != nil {
		return nil, fmt.Errorf("compare the status with the one shown: %w", err)
	}
	return json.Marshal(map[string]any{"metadata": map[string]any{"uid": e.found.UID, "resourceVersion": e.found.ResourceVersion}, "status": json.RawMessage(status)})
}
