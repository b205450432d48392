package main

import (
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"github.com/scanflow-k8s/scanflow/cmd/internal/app/agentspec"
	"github.com/scanflow-k8s/scanflow/cmd/internal/plot"
	"github.com/scanflow-k8s/scanflow/engine/manifest"
)

// agentFilesUse is the usage of -f of commands that read agents once, by readAgents.
const agentFilesUse = "agent manifests: files, folders of them, or - for standard input; objects of other kinds are skipped"

// readAgents reads the agents of -f, which may be among objects of other kinds or in standard
// input. A note on standard error counts what was skipped.
func readAgents(cmd *cobra.Command, paths []string) ([]*manifest.Agent, error) {
	found, err := manifest.ReadMixed(paths, cmd.InOrStdin(), agentspec.Kinds())
	if n := found.Skipped.Total(); n > 0 {
		_, _ = fmt.Fprintln(cmd.ErrOrStderr(), plot.Line(fmt.Sprintf("note: skipped what is no Agent: %s", found.Skipped)))
	}
	return found.Agents, err
}

// readsStdin reports whether one of the paths of -f is standard input.
func readsStdin(paths []string) bool { return slices.Contains(paths, manifest.Stdin) }
