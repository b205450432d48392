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
			var letters []engine.Message
			if err := o.get(cmd.Context(), "/v1/events", q, &letters); err != nil {
				return err
			}
			shown := []engine.Message{}
			for _, l := range letters {
				if box == "" || l.Box == box {
					shown = append(shown, l)
				}
			}
			if asJSON {
				return writeLine(cmd.OutOrStdout(), shown)
			}
			return printLetters(cmd, shown)
		},
	}
	o.add(c)
	f := c.Flags()
	f.StringVar(&agent, "agent", "", "only this agent's, as namespace/name")
	f.StringVar(&box, "box", "", "only inbox, outbox or dead")
	f.IntVar(&limit, "limit", 100, "at most so many of each box, the oldest")
	f.BoolVar(&asJSON, "json", false, "one line of JSON")
	c.AddCommand(newResend())
	return c
}

func printLetters(cmd *cobra.Command, letters []engine.Message) error {
	if len(letters) == 0 {
		_, err := fmt.Fprintln(cmd.OutOrStdout(), "no events wait, and none is dead")
		return err
	}
	table := plot.Table{Header: []string{"id", "box", "for", "type", "source", "event", "since", "why"}}
	for _, l := range letters {
		to := l.Agent
		if l.To != "" {
			to = l.To
		}
		table.Rows = append(table.Rows, []string{l.ID, l.Box, to, l.Event.Type, l.Event.Source, l.Event.ID, clock(l.Since), l.Why})
	}
	_, err := fmt.Fprint(cmd.OutOrStdout(), table.String())
	return err
}

// resent is what the API answers.
type resent struct {
	Resent []string `json:"resent"`
}

func newResend() *cobra.Command {
	var o personFlags
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
			var done resent
			if err := o.post(cmd.Context(), "/v1/events/resend", map[string][]string{"ids": args}, &done); err != nil {
				return err
			}
			if len(done.Resent) > 0 {
				if _, err := fmt.Fprintln(cmd.OutOrStdout(), plot.Line("waits again: "+strings.Join(done.Resent, " "))); err != nil {
					return err
				}
			}
			missing := slices.DeleteFunc(slices.Clone(args), func(id string) bool { return slices.Contains(done.Resent, id) })
			if len(missing) > 0 {
				return fmt.Errorf("no dead event has the id %s; `scanflow events --box dead` lists them", strings.Join(missing, ", "))
			}
			return nil
		},
	}
	o.add(c)
	return c
}
