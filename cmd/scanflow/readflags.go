package main

import (
	"errors"
	"io/fs"
	"os"

	"github.com/spf13/cobra"

	"github.com/scanflow-k8s/scanflow/engine/journal"
)

// readFlags choose what a command reads: the data folder of a scanflow, or a running one.
type readFlags struct {
	clientFlags
	data    string
	command *cobra.Command
}

// add declares the flags. folder says what is read of the data folder.
func (o *readFlags) add(c *cobra.Command, folder string) {
	o.command = c
	o.clientFlags.add(c)
	c.Flags().StringVar(&o.data, "data", defaultData, folder)
}

// asked reports which of the flags was given. It refuses both.
func (o *readFlags) asked() (folder, server bool, err error) {
	f := o.command.Flags()
	folder = f.Changed("data")
	for _, name := range []string{"server", "token-file", "ca-file"} {
		if !f.Changed(name) {
			continue
		}
		if folder {
			return false, false, errors.New("--data reads a folder, and --" + name + " is for asking a running scanflow: pass one of them")
		}
		server = true
	}
	return folder, server, nil
}

// hasJournal reports whether a data folder has a journal, which this user may read or not.
func hasJournal(dir string) bool {
	_, err := os.Stat(journal.File(dir))
	return !errors.Is(err, fs.ErrNotExist)
}
