package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/scanflow-k8s/scanflow/cmd/internal/plot"
	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/journal"
)

// mainParams names, by verb, the parameter that says most of an act with several.
var mainParams = map[string]string{
	"scale": "replicas", "workflow.run": "template", "event.send": "type", "webhook": "url", "model.promote": "version", "model.rollback": "version", "model.serve": "version",
}

// actText formats a primitive briefly, with the value of the only parameter or of the one that
// says most: "scale 4".
func actText(verb string, with map[string]any) string {
	value, ok := with[mainParams[verb]]
	if !ok && len(with) == 1 {
		for _, value = range with {
			ok = true
		}
	}
	if raw, err := json.Marshal(value); ok && err == nil {
		return verb + " " + strings.Trim(string(raw), `"`)
	}
	if len(with) > 0 {
		return verb + " …"
	}
	return verb
}

// resultText returns the result of a proposal: the outcome of its act, or the verdict. dry is the word
// for an act that was done in a dry run.
func resultText(row journal.Row, dry string) string {
	switch {
	case row.Outcome == nil:
		return string(row.Verdict)
	case row.DryRun && row.Outcome.Status == engine.Done:
		return dry
	}
	return string(row.Outcome.Status)
}

// detailText is the sentence that goes with the result.
func detailText(row journal.Row) string {
	if row.Outcome != nil && row.Outcome.Status == engine.Failed {
		return cmp.Or(row.Outcome.Detail, row.Detail)
	}
	return row.Detail
}

// fullDetail is detailText, and what was to be done where it failed.
func fullDetail(row journal.Row) string {
	detail := detailText(row)
	if detail != row.Detail && row.Detail != "" {
		detail += "; " + row.Detail
	}
	return detail
}

// whyText returns the reason of the result: of a refusal, of a failure, or of the strategy.
func whyText(row journal.Row, zone screenZone) string {
	why := row.Reason
	if row.Verdict == engine.Refused {
		why = strings.TrimPrefix(row.By, "guards.")
	}
	detail := zone.text(detailText(row), row.At)
	if row.Outcome != nil && row.Outcome.Status == engine.Failed || why == "" {
		return detail
	}
	if detail == "" {
		return why
	}
	return why + ": " + detail
}

// decisionText formats one decision in full.
func decisionText(row journal.Row, zone screenZone) string {
	var b strings.Builder
	line := func(format string, args ...any) { b.WriteString(plot.Line(fmt.Sprintf(format, args...)) + "\n") }
	about := func(what, text string) {
		if text != "" {
			line("  %-9s %s", what, text)
		}
	}
	line("%s  %s  %s %s", row.ID, resultText(row, string(engine.Done)+", dry run"), row.Target, callText(row.Primitive, row.With))
	about("when", zone.format(row.At, milliLayout+" MST")+", by the trigger "+cmp.Or(row.Trigger.Name, row.Trigger.Kind))
	about("agent", row.Agent+", strategy "+row.Strategy+", policies "+row.Revision)
	why := row.Reason
	if len(row.Because) > 0 {
		why += " [" + strings.Join(row.Because, " ") + "]"
	}
	about("because", why)
	if len(row.Proposed) > 0 {
		about("proposed", paramsText(row.Proposed))
	}
	about(cmp.Or(string(row.Verdict), "verdict"), strings.TrimPrefix(strings.TrimSuffix("by "+row.By+": "+zone.text(row.Detail, row.At), ": "), "by : "))
	if row.Outcome != nil {
		outcome := string(row.Outcome.Status)
		if row.Outcome.Detail != "" {
			outcome += ": " + zone.text(row.Outcome.Detail, row.At)
		}
		if row.EndedAt != nil {
			outcome += " (at " + zone.full(*row.EndedAt) + ")"
		}
		about("outcome", outcome)
	}
	about("identity", row.Identity)
	return b.String()
}
