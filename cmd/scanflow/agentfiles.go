package main

import (
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/scanflow-k8s/scanflow/cmd/internal/app/agentspec"
	"github.com/scanflow-k8s/scanflow/cmd/internal/plot"
	"github.com/scanflow-k8s/scanflow/engine/confine"
	"github.com/scanflow-k8s/scanflow/engine/manifest"
)

// agentFilesUse is the usage of -f of commands that read agents once, by readAgents.
const agentFilesUse = "agent manifests: files, folders of them, or - for standard input; objects of other kinds are skipped"

// readAgents reads the agents of -f, which may be among objects of other kinds or in standard
// input. A note on standard error counts what was skipped.
func readAgents(cmd *cobra.Command, paths []string) ([]*manifest.Agent, error) {
	stdin := cmd.InOrStdin()
	confine.Doing("reading the manifests", readingTimeout)
	if readsStdin(paths) {
		confine.Doing(waitingForStdin, confinedTimeout)
		stdin = untilEnd{stdin, func() { confine.Doing("reading the manifests", readingTimeout) }}
	}
	found, err := manifest.ReadMixed(paths, stdin, agentspec.Kinds())
	confine.Doing("reading the policies", readingTimeout)
	if n := found.Skipped.Total(); n > 0 {
		_, _ = fmt.Fprintln(cmd.ErrOrStderr(), plot.Line(fmt.Sprintf("note: skipped what is no Agent: %s", found.Skipped)))
	}
	return found.Agents, err
}

const (
	// readingTimeout bounds the reading of manifests, and of policies.
	readingTimeout = time.Minute
	// waitingForStdin is a step of a confined command. It may take as long as the whole
	// command: what writes to the pipe may have to ask a cluster.
	waitingForStdin = "waiting for the end of standard input"
)

// untilEnd calls ended at the end of a reader.
type untilEnd struct {
	io.Reader
	ended func()
}

// Read is part of io.Reader.
func (u untilEnd) Read(to []byte) (int, error) {
	n, err := u.Reader.Read(to)
	if err != nil {
		u.ended()
	}
	return n, err
}

// readsStdin reports whether one of the paths of -f is standard input.
func readsStdin(paths []string) bool { return slices.Contains(paths, manifest.Stdin) }
