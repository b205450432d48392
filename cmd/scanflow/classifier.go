package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	convnet "github.com/scanflow-k8s/scanflow/cmd/internal/classifier"
)

func newClassifier() *cobra.Command {
	c := &cobra.Command{
		Use:   "classifier",
		Short: "The sample workload whose arithmetic is real: an image classifier, online and as a batch",
	}
	c.AddCommand(newClassifierServe(), newClassifierBatch(), newClassifierSample())
	return group(c)
}

// modelFlags select the network and its weights.
type modelFlags struct {
	name string
	seed uint64
}

func (m *modelFlags) add(c *cobra.Command) {
	c.Flags().StringVar(&m.name, "model", string(convnet.Large), "large (0.3 GFLOP an image) or small (0.08)")
	c.Flags().Uint64Var(&m.seed, "seed", 1, "of the weights: they are drawn, not trained")
}

func (m *modelFlags) model() (convnet.Model, error) {
	model, err := convnet.ParseModel(m.name)
	if err != nil {
		return "", fmt.Errorf("--model: %w", err)
	}
	return model, nil
}

// formatOf returns the image format that scanflow load assumes for a file name.
func formatOf(name string) convnet.Format {
	switch contentTypes[strings.ToLower(filepath.Ext(name))] {
	case "image/jpeg":
		return convnet.JPEG
	case "image/png":
		return convnet.PNG
	}
	return convnet.Raw
}

func newClassifierSample() *cobra.Command {
	var output, format string
	var seed uint64
	c := &cobra.Command{
		Use:   "sample -o FILE",
		Short: "Write an image to post to scanflow classifier serve",
		Long: `Writes an image of 224 x 224 pixels to post to scanflow classifier serve, as
scanflow load --body FILE does: raw bytes of red, green and blue, JPEG or PNG.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if format == "" {
				format = string(formatOf(output))
			}
			body, err := convnet.Sample(seed).Encode(convnet.Format(format))
			if err != nil {
				return fmt.Errorf("--format: %w", err)
			}
			if output == "-" {
				_, err = cmd.OutOrStdout().Write(body)
				return err
			}
			return os.WriteFile(output, body, 0o644)
		},
	}
	f := c.Flags()
	f.StringVarP(&output, "output", "o", "-", "file to write; - is standard output")
	f.StringVar(&format, "format", "", "raw, jpeg or png; absent: by the file's extension, and raw without one of these")
	f.Uint64Var(&seed, "seed", 1, "of the image")
	return c
}
