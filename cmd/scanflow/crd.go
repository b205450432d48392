package main

import (
	"bytes"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/scanflow-k8s/scanflow/cmd/internal/app/agentspec"
	"github.com/scanflow-k8s/scanflow/engine/manifest"
)

// newCRD prints the definition of the custom resource; deploy/crds has a copy.
func newCRD() *cobra.Command {
	var file string
	c := &cobra.Command{
		Use:    "crd [--check FILE]",
		Short:  "Print the definition of the custom resource Agent",
		Hidden: true,
		Args:   cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			text, err := manifest.CRD(agentspec.Kinds())
			if err != nil {
				return err
			}
			if file == "" {
				_, err := cmd.OutOrStdout().Write(text)
				return err
			}
			old, err := os.ReadFile(file)
			if err != nil {
				return err
			}
			if !bytes.Equal(old, text) {
				return fmt.Errorf("%s is not what the code says; write it anew with `scanflow crd > %s`", file, file)
			}
			return nil
		},
	}
	c.Flags().StringVar(&file, "check", "", "print nothing, and fail where this file differs")
	return c
}
