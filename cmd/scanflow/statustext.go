package main

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/scanflow-k8s/scanflow/cmd/internal/plot"
	"github.com/scanflow-k8s/scanflow/engine/manifest"
)

// statusWidth is how many columns the text takes at most.
const statusWidth = 100

// text formats the status for a person: who leads, what is wrong, the replicas, the agents.
func (i *installations) text() string {
	var b strings.Builder
	now := time.Now()
	if len(i.Shards) > 0 {
		table := plot.Table{Header: []string{"installation", "shard", "lease", "leader"}}
		for _, s := range i.Shards {
			table.Rows = append(table.Rows, []string{fit(s.Install, 30), s.part(), s.state(now), fit(s.leader(), 35)})
		}
		b.WriteString(table.String())
	}
	i.paragraphs(&b, i.Problems)
	if len(i.Replicas) > 0 {
		table := plot.Table{Header: []string{"pod", "phase", "ready", "restarts", "leads"}, Right: []bool{3: true}}
		for _, r := range i.Replicas {
			table.Rows = append(table.Rows, []string{fit(r.Name, 40), r.Phase, yesNo(r.Ready), strconv.FormatInt(r.Restarts, 10), fit(strings.Join(r.Leads, ", "), 30)})
		}
		b.WriteString("\n" + table.String())
	}
	i.agentsText(&b)
	for _, what := range i.Unread {
		i.paragraphs(&b, []string{"can't read " + what})
	}
	return b.String()
}

func (i *installations) agentsText(b *strings.Builder) {
	if len(i.Agents) == 0 {
		return
	}
	kinds := []string{"Ready", manifest.Accepted, manifest.Running}
	if !slices.ContainsFunc(i.Agents, func(a agentStatus) bool { return a.condition("Ready") != "-" }) {
		kinds = kinds[1:]
	}
	header := []string{"agent", "mode", "targets"}
	for _, kind := range kinds {
		header = append(header, strings.ToLower(kind))
	}
	table := plot.Table{Header: header, Right: []bool{2: true}}
	var faults []string
	for _, a := range i.Agents {
		row := []string{fit(a.Agent, 44), a.Mode, strconv.Itoa(a.Targets)}
		for _, kind := range kinds {
			row = append(row, a.condition(kind))
		}
		table.Rows = append(table.Rows, row)
		faults = append(faults, a.faults()...)
	}
	b.WriteString("\n" + table.String())
	if len(i.Problems) > 0 {
		faults = append(faults, "the status of the agents that such an installation ran is as its last leader left it")
	}
	i.paragraphs(b, faults)
}

// condition is the status of a condition; "-" where the agent has none.
func (a agentStatus) condition(kind string) string {
	for _, c := range a.Conditions {
		if c.Type == kind {
			return c.Status
		}
	}
	return "-"
}

func (s shardStatus) part() string {
	if s.Of <= 1 {
		return "-"
	}
	return fmt.Sprintf("%d/%d", s.Shard, s.Of)
}

func (s shardStatus) leader() string {
	if s.Leads {
		return s.Holder
	}
	return "nobody"
}

// state is the lease in two words. An age is by this machine's clock, and is shown only of a
// lease that is not renewed: the other one is renewed every few seconds, whatever clocks say.
func (s shardStatus) state(now time.Time) string {
	switch {
	case s.Leads:
		return "renewed"
	case s.RenewTime == nil:
		return "missing"
	case s.Holder == "":
		return "given up"
	case now.Before(*s.RenewTime):
		return "not renewed"
	}
	return "not renewed for " + now.Sub(*s.RenewTime).Round(time.Second).String()
}

// paragraphs writes texts below a table, each wrapped.
func (i *installations) paragraphs(b *strings.Builder, texts []string) {
	for _, text := range texts {
		b.WriteString("\n" + plot.Wrap(plot.Text(text), "", statusWidth) + "\n")
	}
}

// fit shortens a cell to some characters.
func fit(text string, most int) string {
	if utf8.RuneCountInString(text) <= most {
		return text
	}
	return string([]rune(text)[:most-3]) + "..."
}

func yesNo(yes bool) string {
	if yes {
		return "yes"
	}
	return "no"
}
