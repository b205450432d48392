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

// LastDecision is the decision on a proposal.
type LastDecision = manifest.LastDecision

// Status is the state of an agent.
type Status struct {
	// ObservedGeneration is the Found.Generation that the status is about.
	ObservedGeneration int64
	// Accepted reports whether the spec can run. Reason is in CamelCase, "" for the default.
	Accepted        bool
	Reason, Message string
	// Running reports whether this process runs the agent.
	Running                       bool
	RunningReason, RunningMessage string
	Targets                       int
	// PolicyRevision leaves the cluster's value where it is "".
	PolicyRevision string
	// LastDecision leaves the cluster's value where it is nil.
	LastDecision *LastDecision
	// LastGood is the spec that runs in place of one that is not accepted; nil removes it.
	LastGood map[string]any
}

// next returns the status to write, given the one that the cluster shows.
func (s Status) next(shown manifest.Status, now time.Time) manifest.Status {
	out := manifest.Status{
		ObservedGeneration: s.ObservedGeneration,
		Conditions:         slices.Clone(shown.Conditions), // keeps those of other controllers
		Targets:            s.Targets,
		PolicyRevision:     cmp.Or(truncated(s.PolicyRevision), shown.PolicyRevision),
		LastDecision:       shown.LastDecision,
		LastGood:           s.LastGood,
	}
	if d := s.LastDecision; d != nil {
		out.LastDecision = &LastDecision{
			Time: wholeSeconds(d.Time.Time), Target: truncated(d.Target), Primitive: truncated(d.Primitive),
			Verdict: truncated(d.Verdict), Reason: truncated(d.Reason), Summary: truncated(d.Summary), Detail: truncated(d.Detail),
		}
	}
	s.condition(&out.Conditions, manifest.Accepted, s.Accepted, cmp.Or(s.Reason, choose(s.Accepted, "Accepted", "Mistakes")), s.Message, now)
	s.condition(&out.Conditions, manifest.Running, s.Running, cmp.Or(s.RunningReason, choose(s.Running, "Running", "NotRunning")), s.RunningMessage, now)
	return out
}

// condition sets a condition. Its transition time changes only with its status.
func (s Status) condition(all *[]manifest.Condition, name string, holds bool, reason, message string, now time.Time) {
	c := manifest.Condition{
		Type: name, Status: choose(holds, "True", "False"), ObservedGeneration: s.ObservedGeneration,
		LastTransitionTime: wholeSeconds(now), Reason: truncated(reason), Message: truncated(message),
	}
	i := slices.IndexFunc(*all, func(o manifest.Condition) bool { return o.Type == name })
	if i < 0 {
		*all = append(*all, c)
		return
	}
	if (*all)[i].Status == c.Status {
		c.LastTransitionTime = wholeSeconds((*all)[i].LastTransitionTime.Time)
	}
	(*all)[i] = c
}

func choose(yes bool, whenTrue, whenFalse string) string {
	if yes {
		return whenTrue
	}
	return whenFalse
}

// wholeSeconds is a time in the precision of Kubernetes.
func wholeSeconds(t time.Time) manifest.Time {
	return manifest.Time{Time: t.UTC().Truncate(time.Second)}
}

// truncated shortens a text to what the resource may hold.
func truncated(text string) string {
	if len(text) <= manifest.MaxMessageLength {
		return text
	}
	const end = "..."
	runes := []rune(text)
	return string(runes[:min(len(runes), manifest.MaxMessageLength-len(end))]) + end
}

// patch returns the merge patch that brings the cluster's status up to date, or nil if it is.
// The patch names the UID, so that it does not apply to an agent that was created anew under
// the same name, and the version, since a merge patch replaces lists.
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
