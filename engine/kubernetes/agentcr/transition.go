package agentcr

import (
	"cmp"
	"slices"

	corev1 "k8s.io/api/core/v1"

	"github.com/scanflow-k8s/scanflow/engine/manifest"
)

// The reasons of conditions that the Events of an agent go by.
const (
	ReasonMissingRight    = "MissingRight"
	ReasonSecretsWithheld = "SecretsWithheld"
)

// transition is a change of a status that a person wants to know of.
type transition struct{ kind, reason, message string }

// transitions compares two statuses of an agent. As it goes by what the cluster showed
// before, a change is reported once, whichever process writes it, and none after a restart.
func transitions(before, after manifest.Status) []transition {
	var out []transition
	add := func(kind, reason, message string) { out = append(out, transition{kind, reason, message}) }
	was, is := conditionOf(&before, manifest.Accepted), conditionOf(&after, manifest.Accepted)
	switch {
	case is.Status == "False" && (was.Status != is.Status || was.Reason != is.Reason || was.Message != is.Message || was.ObservedGeneration != is.ObservedGeneration):
		add(corev1.EventTypeWarning, is.Reason, is.Message)
	case is.Status == "True" && was.Status == "False":
		add(corev1.EventTypeNormal, manifest.Accepted, "accepted again: "+is.Message)
	}
	for _, r := range after.MissingRights {
		if !slices.ContainsFunc(before.MissingRights, r.Same) {
			add(corev1.EventTypeWarning, ReasonMissingRight, ForbiddenError(r).Explain())
		}
	}
	for _, r := range before.MissingRights {
		if sameSpec(&before, &after) && !slices.ContainsFunc(after.MissingRights, r.Same) {
			add(corev1.EventTypeNormal, "RightGranted", cmp.Or(r.User, "this process")+" may again "+ForbiddenError(r).Right.String())
		}
	}
	was, is = conditionOf(&before, manifest.Ready), conditionOf(&after, manifest.Ready)
	switch {
	case is.Reason == ReasonSecretsWithheld && (was.Reason != is.Reason || was.Message != is.Message):
		add(corev1.EventTypeWarning, is.Reason, is.Message)
	case was.Reason == ReasonSecretsWithheld && is.Status == "True":
		add(corev1.EventTypeNormal, "SecretsSent", "every Secret may be sent where the agent sends it")
	}
	return out
}

// sameSpec reports whether one spec ran at both times. Another one may not need a right that
// was missing, which then was not granted.
func sameSpec(before, after *manifest.Status) bool {
	return before.ObservedGeneration == after.ObservedGeneration && (before.LastGood == nil) == (after.LastGood == nil)
}

func conditionOf(s *manifest.Status, kind string) manifest.Condition {
	if c := s.Condition(kind); c != nil {
		return *c
	}
	return manifest.Condition{}
}
