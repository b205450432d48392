package main

import (
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/scanflow-k8s/scanflow/cmd/internal/plot"
	"github.com/scanflow-k8s/scanflow/engine"
)

func newApprovals() *cobra.Command {
	var o clientFlags
	var zone screenZone
	var agent, since string
	var asJSON bool
	c := &cobra.Command{
		Use:   "approvals",
		Short: "List the proposals that wait for a person",
		Long: `Asks a running scanflow for the proposals that wait for a person: those of the verbs
that an agent lists under guards.approval. "scanflow approve ID" and "scanflow deny ID"
answer. With --since, those that came to an end since then are listed too:

  used     approved, and the act began
  denied   by a person
  lapsed   approved, and by then it was not proposed any more, or was so already; or
           its agent was deleted
  expired  nobody answered in time, or no guard let it through in time`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := checkAgent(agent); err != nil {
				return err
			}
			from, err := parseTime(since, time.Now(), zone.location())
			if err != nil {
				return fmt.Errorf("--since: %w", err)
			}
			q := url.Values{}
			for name, value := range map[string]string{"agent": agent, "since": timeQuery(from)} {
				if value != "" {
					q.Set(name, value)
				}
			}
			var list []engine.Approval
			if err := o.get(cmd.Context(), "/v1/approvals", q, &list); err != nil {
				return err
			}
			if asJSON {
				return writeLine(cmd.OutOrStdout(), list)
			}
			if len(list) == 0 {
				_, err := fmt.Fprintln(cmd.OutOrStdout(), "nothing waits for a person")
				return err
			}
			for _, p := range list {
				if _, err := fmt.Fprint(cmd.OutOrStdout(), approvalText(p, zone)); err != nil {
					return err
				}
			}
			return nil
		},
	}
	o.add(c)
	zone.add(c)
	f := c.Flags()
	f.StringVar(&agent, "agent", "", "only this agent's, as name or namespace/name")
	completeFlag(c, "agent", pickNames(o.names, agentsOf))
	f.StringVar(&since, "since", "", "also those that ended since: a time (2026-03-01T12:00:00Z, \"2026-03-01 12:00:00\" or 12:00) or an age (90s, 2h)")
	f.BoolVar(&asJSON, "json", false, "one line of JSON")
	return c
}

// approvalText formats one approval as text.
func approvalText(p engine.Approval, zone screenZone) string {
	var b strings.Builder
	line := func(format string, args ...any) { b.WriteString(plot.Line(fmt.Sprintf(format, args...)) + "\n") }
	line("%s  %s  %s %s", p.ID, p.State, p.Target, callText(p.Primitive, p.With))
	line("  would change  %s", p.Diff)
	why := p.Reason
	if len(p.Because) > 0 {
		why += " [" + strings.Join(p.Because, " ") + "]"
	}
	line("  because       %s, says %s of %s", why, p.Strategy, p.Agent)
	line("  asked         %s, stands until %s", zone.full(p.Asked), zone.full(p.Expires))
	if p.By != "" {
		verb := "approved"
		if p.State == engine.ApprovalDenied {
			verb = "denied"
		}
		if p.Why != "" {
			line("  %-12s  by %s at %s: %s", verb, p.By, zone.full(p.Decided), p.Why)
		} else {
			line("  %-12s  by %s at %s", verb, p.By, zone.full(p.Decided))
		}
	}
	if p.Held != "" && !p.State.Ended() {
		line("  held back     %s", zone.text(p.Held, p.Asked))
	}
	if p.State == engine.ApprovalUsed {
		line("  acted         at %s; scanflow decisions --identity %s", zone.full(p.Ended), p.Identity)
	}
	if p.Detail != "" {
		line("  came to       %s", zone.text(p.Detail, p.Asked))
	}
	return b.String()
}

func newApprove() *cobra.Command {
	return newDecide("approve", "Let a proposal act that waits for a person", `Approves a proposal. The agent looks at the world once more, and acts only if its
strategy still proposes the same and every other guard lets it.`)
}

func newDeny() *cobra.Command {
	return newDecide("deny", "Refuse a proposal that waits for a person", `Denies a proposal. It never acts, and the same proposal is refused for as long as a
question stands (guards.approvalExpiry).`)
}

func newDecide(verb, short, long string) *cobra.Command {
	var o userFlags
	var zone screenZone
	var attr attribution
	var asJSON bool
	c := &cobra.Command{
		Use: verb + " ID", Short: short, Long: long,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) != 1 || strings.TrimSpace(args[0]) == "" {
				return fmt.Errorf("say which one: %s ID; `scanflow approvals` lists them", cmd.CommandPath())
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := attr.validate("--"); err != nil {
				return err
			}
			var p engine.Approval
			if err := o.post(cmd.Context(), "/v1/approvals/"+url.PathEscape(args[0])+"/"+verb, attr, &p); err != nil {
				return err
			}
			if asJSON {
				return writeLine(cmd.OutOrStdout(), p)
			}
			_, err := fmt.Fprint(cmd.OutOrStdout(), approvalText(p, zone))
			return err
		},
	}
	o.add(c)
	zone.add(c)
	attr.add(c, "who answers")
	c.ValidArgsFunction = func(cmd *cobra.Command, args []string, word string) ([]string, cobra.ShellCompDirective) {
		if len(args) > 0 {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return completed(o.approvalIDs)(cmd, args, word)
	}
	c.Flags().BoolVar(&asJSON, "json", false, "one line of JSON")
	return c
}
