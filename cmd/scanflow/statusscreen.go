package main

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/scanflow-k8s/scanflow/cmd/internal/plot"
	"github.com/scanflow-k8s/scanflow/engine/loop"
)

const (
	// mostAgents and mostProblems keep the status on one screen.
	mostAgents   = 12
	mostProblems = 8
	// mostProblem is how many lines a problem has on it.
	mostProblem = 3
)

// screen formats the status for a person, on one screen of 80 columns.
func (s *daemonStatus) screen(address string, zone screenZone, columns int) string {
	var b strings.Builder
	line := func(format string, args ...any) {
		b.WriteString(plot.Clip(plot.Line(fmt.Sprintf(format, args...)), columns) + "\n")
	}
	line("%s  scanflow at %s, %s", strings.ToUpper(string(s.Health)), address, zone.full(s.Now))
	line("version    %s", s.Version)
	live := ""
	if !s.Policies.LoadedAt.IsZero() {
		live = ", live since " + zone.brief(s.Policies.LoadedAt, s.Now)
	}
	line("policies   %s%s", s.Policies.Revision, live)
	w := s.Waiting
	line("waits      %d %s, %d %s in inboxes, %d on the way, %d dead", w.Approvals, plural(w.Approvals, "approval"), w.Inbox, plural(w.Inbox, "event"), w.Outbox, w.Dead)
	line("acts       %d %s held, %d failed in the last %s", w.Claims, plural(w.Claims, "claim"), w.Failed, failedWithin)
	b.WriteString("\n" + s.agentTable(columns))
	s.list(&b, "not ready, nothing is done", s.NotReady, columns)
	s.list(&b, "problems", s.Problems, columns)
	return b.String()
}

// agentTable lists the agents, those with problems first.
func (s *daemonStatus) agentTable(columns int) string {
	if len(s.Agents) == 0 {
		return "no agents run here\n"
	}
	agents := slices.Clone(s.Agents)
	slices.SortStableFunc(agents, func(a, b loop.AgentStatus) int {
		return min(len(agentProblems(b, s.Now)), 1) - min(len(agentProblems(a, s.Now)), 1)
	})
	table := plot.Table{Header: []string{"agent", "mode", "targets", "last turn", "every", "problems"}, Right: []bool{2: true, 5: true}}
	for _, a := range agents[:min(len(agents), mostAgents)] {
		last, every := "-", "-"
		if !a.LastFiring.IsZero() {
			last = s.Now.Sub(a.LastFiring).Round(time.Second).String() + " ago"
		}
		if a.Interval > 0 {
			every = a.Interval.String()
		}
		table.Rows = append(table.Rows, []string{
			plot.ClipMiddle(plot.Line(a.Agent), columns-50), string(a.Mode), strconv.Itoa(a.Targets), last, every, strconv.Itoa(len(agentProblems(a, s.Now))),
		})
	}
	text := table.String()
	if more := len(agents) - mostAgents; more > 0 {
		text += fmt.Sprintf("and %d more: curl .../v1/agents\n", more)
	}
	return text
}

// list writes texts below a heading, each wrapped.
func (s *daemonStatus) list(b *strings.Builder, heading string, texts []string, columns int) {
	if len(texts) == 0 {
		return
	}
	fmt.Fprintf(b, "\n%s\n", heading)
	for _, text := range texts[:min(len(texts), mostProblems)] {
		lines := plot.WrapCell(plot.Line(text), columns-2)
		if len(lines) > mostProblem {
			lines = append(lines[:mostProblem-1], plot.Clip(lines[mostProblem-1]+"…", columns-2))
		}
		b.WriteString("- " + strings.Join(lines, "\n  ") + "\n")
	}
	if more := len(texts) - mostProblems; more > 0 {
		fmt.Fprintf(b, "and %d more: scanflow status --json\n", more)
	}
}
