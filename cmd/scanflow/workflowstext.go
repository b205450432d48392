package main

import (
	"cmp"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/scanflow-k8s/scanflow/actuators/local/orchestrator/workflow"
	"github.com/scanflow-k8s/scanflow/cmd/internal/plot"
)

// workflowText formats one run as text.
func workflowText(r *workflow.Run, zone screenZone) string {
	var b strings.Builder
	b.WriteString(plot.Line(fmt.Sprintf("%s/%s  %s  %s", r.Namespace, r.Name, r.Phase, r.Progress())) + "\n")
	about := func(what, text string) {
		if text != "" {
			b.WriteString(plot.Line(fmt.Sprintf("  %-10s  %s", what, text)) + "\n")
		}
	}
	about("template", r.Template)
	about("parameters", valuesText(r.Parameters))
	about("since", sinceText(r.StartedAt, r.FinishedAt, zone.full))
	about("message", singleLine(cmp.Or(r.Message, r.Stop)))
	about("outputs", valuesText(r.Outputs))
	about("folder", r.Folder)
	table := plot.Table{Header: []string{"step", "attempt", "phase", "exit", zone.head("since") + ", for", "folder", "message"}}
	for i := range r.Steps {
		if s := &r.Steps[i]; s.Path != "" || !s.DAG { // the outermost dag is the run
			table.Rows = append(table.Rows, stepRows(s, zone)...)
		}
	}
	b.WriteString(table.String())
	return b.String()
}

// stepRows returns a row for each attempt of a step, and one for the step itself if it has
// no attempt or waits for its next one.
func stepRows(s *workflow.Step, zone screenZone) (rows [][]string) {
	for i, a := range s.Attempts {
		exit := "-"
		if a.ExitCode != nil {
			exit = strconv.Itoa(*a.ExitCode)
		}
		rows = append(rows, []string{
			s.DisplayName(), strconv.Itoa(i + 1), string(a.Phase), exit, sinceText(a.StartedAt, a.FinishedAt, zone.stamp), filepath.Base(filepath.Dir(a.Log)), singleLine(a.Message),
		})
	}
	if len(rows) == 0 || s.Phase == workflow.Pending {
		message := s.Message
		if s.Phase == "" && len(s.Needs) > 0 {
			message = "waits for " + strings.Join(s.Needs, ", ")
		}
		rows = append(rows, []string{s.DisplayName(), "-", cmp.Or(string(s.Phase), "-"), "-", sinceText(s.StartedAt, s.FinishedAt, zone.stamp), "-", singleLine(message)})
	}
	return rows
}

// valuesText formats parameters on one line and truncates long values.
func valuesText(values map[string]string) string {
	const most = 60
	shown := make(map[string]any, len(values))
	for name, value := range values {
		if len(value) > most {
			value = strings.ToValidUTF8(value[:most], "") + "..."
		}
		shown[name] = value
	}
	return paramsText(shown)
}

// sinceText formats when something began, and how long it took or has taken so far.
func sinceText(began, ended time.Time, format func(time.Time) string) string {
	if began.IsZero() {
		return "-"
	}
	if ended.IsZero() {
		ended = time.Now()
	}
	took := ended.Sub(began)
	unit := time.Second
	if took < unit {
		unit = time.Millisecond
	}
	return fmt.Sprintf("%s (%s)", format(began), took.Round(unit))
}

// singleLine replaces line breaks and repeated spaces, for the cell of a table.
func singleLine(text string) string { return strings.Join(strings.Fields(text), " ") }
