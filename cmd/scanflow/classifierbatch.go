package main

import (
	"context"
	"errors"

	"github.com/spf13/cobra"

	"github.com/scanflow-k8s/scanflow/cmd/internal/classifier/offline"
	"github.com/scanflow-k8s/scanflow/cmd/internal/classifier/share"
)

type classifierBatchFlags struct {
	modelFlags
	cpu              share.Share
	threads, samples int
	progress         string
}

func newClassifierBatch() *cobra.Command {
	var o classifierBatchFlags
	c := &cobra.Command{
		Use:   "batch --model large|small --threads N --samples N",
		Short: "Classify a batch of images: MLPerf's Offline scenario, on real cores",
		Long: `Classifies a batch of images as MLPerf's Offline scenario has it: all are there from
the start, and what counts is how many are worked in a second. Each thread takes a core
where there is one. It prints a JSON object a line each second, and the result last:

  {"scenario":"offline",...,"samples":N,"seconds":S,"metric":{"name":"samples_per_second","value":V},...}

On SIGTERM it ends at once with what was worked, and status 143. With --progress FILE,
the next run of the same batch goes on from there, also on another node that sees the
file.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return o.run(cmd) },
	}
	o.add(c)
	f := c.Flags()
	f.Var(&o.cpu, "cpu", "share of the CPU of all threads together, as in manifests: 150m, 0.15, 1; absent: no bound")
	f.IntVar(&o.threads, "threads", 1, "threads that work")
	f.IntVar(&o.samples, "samples", 1000, "images of the batch")
	f.StringVar(&o.progress, "progress", "", "file that says how far the batch is; made if it isn't there")
	return c
}

func (o *classifierBatchFlags) run(cmd *cobra.Command) error {
	model, err := o.model()
	if err != nil {
		return err
	}
	_, err = offline.Run(cmd.Context(), offline.Options{
		Model: model, Seed: o.seed, Threads: o.threads, Samples: o.samples, CPU: o.cpu,
		Progress: o.progress, Output: cmd.OutOrStdout(),
	})
	if errors.Is(err, context.Canceled) {
		return exitCode(exitTerminated) // not 0, so that a Job does not count an interrupted batch as complete
	}
	return err
}
