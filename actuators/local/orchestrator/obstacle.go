package orchestrator

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// mostReasons bounds the different reasons that an obstacle has.
const mostReasons = 2

// Obstacle returns what keeps pods from being ready: the most frequent reasons, with their
// counts; "" where they are only starting.
func (r Rollout) Obstacle() string {
	count := map[string]int{}
	for _, reason := range r.obstacles {
		count[reason]++
	}
	reasons := slices.Compact(slices.Sorted(slices.Values(r.obstacles)))
	slices.SortStableFunc(reasons, func(a, b string) int { return cmp.Compare(count[b], count[a]) })
	var out []string
	for _, reason := range reasons[:min(len(reasons), mostReasons)] {
		noun := "pods"
		if count[reason] == 1 {
			noun = "pod"
		}
		out = append(out, fmt.Sprintf("%d %s %s", count[reason], noun, reason))
	}
	return strings.Join(out, "; ")
}

// obstacle returns why a pod is not ready, "" where it is only starting. A crash loop has the
// same words while the process waits and while it runs again.
func (r *replica) obstacle() string {
	switch {
	case r.pod == nil && r.waiting != "":
		return "Unschedulable: " + r.waiting
	case r.status.Reason == "StartError" || r.status.LastExit == nil && r.status.Reason == "CrashLoopBackOff":
		message, _, _ := strings.Cut(r.status.Message, "; restart ")
		return "StartError: " + message
	case r.status.LastExit != nil:
		return "CrashLoopBackOff: " + r.status.LastExit.String()
	}
	return ""
}
