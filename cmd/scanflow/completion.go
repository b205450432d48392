package main

import (
	"context"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/scanflow-k8s/scanflow/cmd/internal/app/agentspec"
	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/journal"
	"github.com/scanflow-k8s/scanflow/engine/manifest"
)

// completeWithin bounds how long a shell waits for names. Where they can't be had in time, there
// are none, and nothing is printed.
const completeWithin = time.Second

// completeFlag has the shell complete a flag's value from a list. The flag must exist.
func completeFlag(c *cobra.Command, flag string, list func(context.Context) ([]string, error)) {
	if err := c.RegisterFlagCompletionFunc(flag, completed(list)); err != nil {
		panic(err) // the command has no such flag
	}
}

// completed completes a word from a list.
func completed(list func(context.Context) ([]string, error)) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, word string) ([]string, cobra.ShellCompDirective) {
		ctx := cmd.Context()
		if ctx == nil {
			ctx = context.Background()
		}
		ctx, cancel := context.WithTimeout(ctx, completeWithin)
		defer cancel()
		all, err := list(ctx)
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		var out []string
		for _, one := range all {
			if strings.HasPrefix(one, word) && !slices.Contains(args, one) && !strings.ContainsAny(one, "\t\n\r") {
				out = append(out, one)
			}
		}
		return out, cobra.ShellCompDirectiveNoFileComp
	}
}

// words is a list that is always the same.
func words(all ...string) func(context.Context) ([]string, error) {
	return func(context.Context) ([]string, error) { return all, nil }
}

// pickNames lists some of the names in a journal.
func pickNames(names func(context.Context) (journal.Names, error), pick func(journal.Names) []string) func(context.Context) ([]string, error) {
	return func(ctx context.Context) ([]string, error) {
		all, err := names(ctx)
		return pick(all), err
	}
}

func agentsOf(n journal.Names) []string { return n.Agents }

// names are those of the journal that the command would read.
func (o *readFlags) names(ctx context.Context) (journal.Names, error) {
	source, err := o.open(ctx)
	if err != nil {
		return journal.Names{}, err
	}
	defer func() { _ = source.Close() }()
	return source.Names(ctx)
}

// names are those of the running scanflow that the command asks.
func (o *clientFlags) names(ctx context.Context) (journal.Names, error) {
	return (&remoteJournal{client: o}).Names(ctx)
}

// approvalIDs are those that wait for a person.
func (o *clientFlags) approvalIDs(ctx context.Context) (ids []string, err error) {
	var list []engine.Approval
	err = o.get(ctx, "/v1/approvals", nil, &list)
	for _, p := range list {
		if p.State == engine.ApprovalWaiting {
			ids = append(ids, p.ID)
		}
	}
	return ids, err
}

// deadIDs are those of dead letters.
func (o *clientFlags) deadIDs(ctx context.Context) (ids []string, err error) {
	var list []engine.Message
	err = o.get(ctx, "/v1/events", url.Values{"limit": {"1000"}}, &list)
	for _, m := range list {
		if m.Box == engine.BoxDead {
			ids = append(ids, m.ID)
		}
	}
	return ids, err
}

// agentsOfFiles are those of manifests.
func agentsOfFiles(paths *[]string) func(context.Context) ([]string, error) {
	return func(context.Context) (names []string, err error) {
		if len(*paths) == 0 || readsStdin(*paths) {
			return nil, nil
		}
		agents, err := manifest.ReadMixed(*paths, nil, agentspec.Kinds())
		for _, a := range agents.Agents {
			names = append(names, a.Info().String())
		}
		return names, err
	}
}

// shortIDs are the ids as a table of decisions has them.
func shortIDs(n journal.Names) []string {
	out := make([]string, len(n.IDs))
	for i, id := range n.IDs {
		out[i] = journal.ShortID(id)
	}
	return out
}

// noFilesForNothing keeps shells from completing files where a command takes no argument. The
// commands below are left as they are.
func noFilesForNothing(c *cobra.Command) {
	if c.ValidArgsFunction == nil && !c.HasSubCommands() && c.Args != nil && c.Args(c, []string{"x"}) != nil {
		c.ValidArgsFunction = cobra.NoFileCompletions
	}
}
