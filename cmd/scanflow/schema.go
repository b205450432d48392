package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/scanflow-k8s/scanflow/cmd/internal/app/agentspec"
	"github.com/scanflow-k8s/scanflow/cmd/internal/plot"
	"github.com/scanflow-k8s/scanflow/engine/manifest"
)

func newSchema() *cobra.Command {
	var manifests []string
	var agent string
	c := &cobra.Command{
		Use:   "schema [-f FILE [--agent NAME]]",
		Short: "Print the JSON Schema of manifests, or of one agent's document",
		Long: `Without -f: the JSON Schema of Agent manifests, for an editor.
With -f: the schema of the document that the agent's policies get as input, for
"opa check --schema". Its signals and params are exactly the agent's.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if len(manifests) == 0 {
				return writeJSON(cmd.OutOrStdout(), manifest.ManifestSchema(agentspec.Kinds()))
			}
			agents, err := readAgents(cmd, manifests)
			if err != nil {
				return err
			}
			a, err := findAgent(agents, agent)
			if err != nil {
				return err
			}
			return writeJSON(cmd.OutOrStdout(), manifest.DocumentSchema(a))
		},
	}
	listFlag(c.Flags(), &manifests, "file", "f", agentFilesUse)
	c.Flags().StringVar(&agent, "agent", "", "which agent, as name or namespace/name, where there are several")
	completeFlag(c, "agent", agentsOfFiles(&manifests))
	return c
}

// findAgent returns the agent with a name or namespace/name. "" selects the only one.
func findAgent(agents []*manifest.Agent, name string) (*manifest.Agent, error) {
	var found []*manifest.Agent
	all := ""
	for _, a := range agents {
		all += " " + a.Info().String()
		if name == "" || a.Metadata.Name == name || a.Info().String() == name {
			found = append(found, a)
		}
	}
	if len(found) != 1 {
		return nil, fmt.Errorf("--agent %q: names %d of the agents; they are%s", name, len(found), all)
	}
	return found[0], nil
}

func writeJSON(w io.Writer, v any) error {
	var text bytes.Buffer
	enc := json.NewEncoder(&text)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false) // -> and <- are to be read
	if err := enc.Encode(v); err != nil {
		return err
	}
	_, err := io.WriteString(w, plot.JSON(text.String()))
	return err
}
