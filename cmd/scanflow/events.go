package main

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/scanflow-k8s/scanflow/cmd/internal/plot"
	"github.com/scanflow-k8s/scanflow/engine"
)

func newEvents() *cobra.Command {
	var o clientFlags
	var zone screenZone
	var agent, box string
	var limit int
	var asJSON bool
	c := &cobra.Command{
		Use:   "events",
		Short: "List the events that wait or could not be delivered, and send those again",
		Long: `Asks a running scanflow for its events: those in the inboxes of agents (inbox), those on
their way elsewhere (outbox), and those that nobody could be brought to take or handle
(dead). "scanflow events resend ID" has dead ones wait again.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return fmt.Errorf("unknown command %q for %q; did you mean events resend?", args[0], cmd.CommandPath())
			}
			switch box {
			case "", engine.BoxInbox, engine.BoxOutbox, engine.BoxDead:
			default:
				return fmt.Errorf("--box: %q is none of inbox, outbox, dead", box)
			}
			if err := checkAgent(agent); err != nil {
				return err
			}
			q := url.Values{"limit": {strconv.Itoa(limit)}}
			if agent != "" {
				q.Set("agent", agent)
			}
			var messages []engine.Message
			if err := o.get(cmd.Context(), "/v1/events", q, &messages); err != nil {
				return err
			}
			messages = slices.DeleteFunc(messages, func(m engine.Message) bool { return box != "" && m.Box != box })
			if asJSON {
				return writeLine(cmd.OutOrStdout(), messages)
			}
			return printMessages(cmd, messages, zone)
		},
	}
	o.add(c)
	zone.add(c)
	f := c.Flags()
	f.StringVar(&agent, "agent", "", "only this agent's, as name or namespace/name")
	f.StringVar(&box, "box", "", "only inbox, outbox or dead")
	f.IntVar(&limit, "limit", 100, "at most so many of each box, the oldest")
	f.BoolVar(&asJSON, "json", false, "one line of JSON")
	completeFlag(c, "agent", pickNames(o.names, agentsOf))
	completeFlag(c, "box", words(engine.BoxInbox, engine.BoxOutbox, engine.BoxDead))
	c.AddCommand(newResend())
	return c
}

func printMessages(cmd *cobra.Command, messages []engine.Message, zone screenZone) error {
	if len(messages) == 0 {
		_, err := fmt.Fprintln(cmd.OutOrStdout(), "no events wait, and none is dead")
		return err
	}
	table := plot.Table{Header: []string{"id", "box", "for", "type", "source", "event", zone.head("since"), "why"}}
	for _, m := range messages {
		to := m.Agent
		if m.To != "" {
			to = m.To
		}
		table.Rows = append(table.Rows, []string{m.ID, m.Box, to, m.Event.Type, m.Event.Source, m.Event.ID, zone.stamp(m.Since), m.Why})
	}
	_, err := fmt.Fprint(cmd.OutOrStdout(), table.String())
	return err
}

// resendResponse is the response to a request to resend.
type resendResponse struct {
	Resent []string `json:"resent"`
}

func newResend() *cobra.Command {
	var o userFlags
	c := &cobra.Command{
		Use:   "resend ID...",
		Short: "Have dead events wait again",
		Long: `Has dead events wait again: for the agent whose inbox they were in, or for delivery to
where they were to go. Mend first what kept them. Whoever has handled one already
takes it as the one that it had.`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return errors.New("say which: scanflow events resend ID...; `scanflow events --box dead` lists them")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			var response resendResponse
			if err := o.post(cmd.Context(), "/v1/events/resend", map[string][]string{"ids": args}, &response); err != nil {
				return err
			}
			if len(response.Resent) > 0 {
				if _, err := fmt.Fprintln(cmd.OutOrStdout(), plot.Line("waits again: "+strings.Join(response.Resent, " "))); err != nil {
					return err
				}
			}
			missing := slices.DeleteFunc(slices.Clone(args), func(id string) bool { return slices.Contains(response.Resent, id) })
			if len(missing) > 0 {
				return fmt.Errorf("no dead event has the id %s; `scanflow events --box dead` lists them", strings.Join(missing, ", "))
			}
			return nil
		},
	}
	o.add(c)
	c.ValidArgsFunction = completed(o.deadIDs)
	return c
}
