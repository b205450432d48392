package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/scanflow-k8s/scanflow/policies"
)

func newPolicies() *cobra.Command {
	c := &cobra.Command{Use: "policies", Short: "The policies that ship"}
	c.AddCommand(newPoliciesExport())
	return group(c)
}

func newPoliciesExport() *cobra.Command {
	return &cobra.Command{
		Use:   "export DIR",
		Short: "Write the policies that ship into a folder, with their tests",
		Long: `Writes the strategies, guards, libraries and tests that ship into a folder, which is
made if it isn't there and must be empty. "opa test DIR" passes. As --policies DIR the
folder takes the place of what ships. Copies of guards bind as those that ship do; one
that was changed wants --without-shipped-guards.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			n, err := exportPolicies(args[0])
			if err != nil {
				return fmt.Errorf("export the policies: %w", err)
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "%d files written to %s\n", n, args[0])
			return err
		},
	}
}

// exportPolicies writes the policies that ship into an empty folder and returns the number
// of files.
func exportPolicies(dir string) (int, error) {
	if dir == "" {
		return 0, errors.New("DIR is empty; name a folder, like policies")
	}
	entries, err := os.ReadDir(dir)
	switch {
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return 0, err
	case len(entries) > 0:
		return 0, fmt.Errorf("%s is not empty (it holds %s); name an empty folder, or one that is not there yet", dir, entries[0].Name())
	}
	n := 0
	err = fs.WalkDir(policies.FS, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		to := filepath.Join(dir, filepath.FromSlash(name))
		if d.IsDir() {
			return os.MkdirAll(to, 0o755)
		}
		raw, err := fs.ReadFile(policies.FS, name)
		if err != nil {
			return err
		}
		n++
		return os.WriteFile(to, raw, 0o644)
	})
	return n, err
}
