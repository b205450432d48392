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
	// Conditions are those to show, each with its type, status, reason and message. Of the
	// manifest.ConditionTypes, those that are not listed are removed.
	Conditions []manifest.Condition
	Targets    int
	// PolicyRevision leaves the cluster's value where it is "".
	PolicyRevision string
	// LastDecision leaves the cluster's value where it is nil.
	LastDecision *LastDecision
	// LastGood is the spec that runs in place of one that is not accepted; nil removes it.
	LastGood map[string]any
	// Refused, Failed and Held are nil where there is no such target.
	Refused, Failed, Held *manifest.TargetCount
	MissingRights         []manifest.MissingRight
}

// mostRights bounds the missing rights that a status lists.
const mostRights = 20

// next returns the status to write, given the one that the cluster shows.
func (s Status) next(shown manifest.Status, now time.Time) manifest.Status {
	out := manifest.Status{
		ObservedGeneration: s.ObservedGeneration,
		Conditions:         s.conditions(shown.Conditions, now),
		Targets:            s.Targets,
		PolicyRevision:     cmp.Or(truncated(s.PolicyRevision), shown.PolicyRevision),
		LastDecision:       shown.LastDecision,
		LastGood:           s.LastGood,
		Refused:            truncatedCount(s.Refused), Failed: truncatedCount(s.Failed), Held: truncatedCount(s.Held),
		MissingRights: s.MissingRights[:min(len(s.MissingRights), mostRights)],
	}
	if d := s.LastDecision; d != nil {
		out.LastDecision = &LastDecision{
			Time: wholeSeconds(d.Time.Time), Target: truncated(d.Target), Primitive: truncated(d.Primitive),
			Verdict: truncated(d.Verdict), Reason: truncated(d.Reason), Summary: truncated(d.Summary), Detail: truncated(d.Detail),
		}
	}
	return out
}

// conditions returns the conditions to write: those of other controllers as they are, and
// ours. The transition time of one changes only with its status.
func (s Status) conditions(shown []manifest.Condition, now time.Time) []manifest.Condition {
	out := slices.DeleteFunc(slices.Clone(shown), func(c manifest.Condition) bool {
		return slices.Contains(manifest.ConditionTypes, c.Type) && !slices.ContainsFunc(s.Conditions, func(o manifest.Condition) bool { return o.Type == c.Type })
	})
	for _, c := range s.Conditions {
		c.ObservedGeneration, c.LastTransitionTime = s.ObservedGeneration, wholeSeconds(now)
		c.Reason, c.Message = truncated(c.Reason), truncated(c.Message)
		i := slices.IndexFunc(out, func(o manifest.Condition) bool { return o.Type == c.Type })
		if i < 0 {
			out = append(out, c)
			continue
		}
		if out[i].Status == c.Status {
			c.LastTransitionTime = wholeSeconds(out[i].LastTransitionTime.Time)
		}
		out[i] = c
	}
	return out
}

func truncatedCount(c *manifest.TargetCount) *manifest.TargetCount {
	if c == nil {
		return nil
	}
	return &manifest.TargetCount{Targets: c.Targets, First: truncated(c.First), Primitive: truncated(c.Primitive), Why: truncated(c.Why)}
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
	before, err := json.Marshal(e.found.Shown)
	if err != nil {
		return nil, fmt.Errorf("write the status shown as JSON: %w", err)
	}
	after, err := json.Marshal(s.next(e.found.Shown, now))
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
