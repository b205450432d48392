package status

import (
	"fmt"
	"strings"

	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/manifest"
)

// mostImportant returns the decision of a firing that the status shows: the last one that
// was admitted, or else the last one that was refused. A proposal that waits for a running
// act of the agent itself does not count.
func mostImportant(f engine.FiringRecord) (d engine.Decision, found bool) {
	for _, other := range f.Decisions {
		waits := other.HeldBy != nil && other.HeldBy.Agent == f.Agent && other.HeldBy.State == "running"
		if !waits && other.Verdict != engine.Unchanged && (!found || d.Verdict != engine.Admitted || other.Verdict == engine.Admitted) {
			d, found = other, true
		}
	}
	return d, found
}

// maxSummary bounds the characters of a detail in a column of kubectl get.
const maxSummary = 60

func shorten(detail string) string {
	line, _, _ := strings.Cut(detail, "\n")
	if r := []rune(line); len(r) > maxSummary {
		return strings.TrimRight(string(r[:maxSummary]), " ,;:(") + "..."
	}
	return line
}

func lastDecision(f engine.FiringRecord, d engine.Decision) *manifest.LastDecision {
	out := &manifest.LastDecision{
		Time: manifest.Time{Time: f.At}, Target: d.Target.String(), Primitive: d.Primitive, Verdict: string(d.Verdict), Reason: d.Reason,
		Summary: fmt.Sprintf("%s %s %s: %s", d.Primitive, d.Target, d.Verdict, shorten(d.Detail)), Detail: d.Detail,
	}
	if d.Verdict == engine.Refused {
		out.Reason = d.By
	}
	if d.DryRun {
		out.Summary = "dry run: " + out.Summary
	}
	return out
}
