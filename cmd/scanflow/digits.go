package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/scanflow-k8s/scanflow/cmd/internal/digits"
)

func newDigits() *cobra.Command {
	c := &cobra.Command{Use: "digits", Short: "The sample workload: a digit classifier, and the steps of its workflows"}
	c.AddCommand(
		newDigitsTrain(), newDigitsServe(), newDigitsPublish(), newDigitsDrifted(),
		newDigitsLoadData(), newDigitsDetect(), newDigitsPickData(), newDigitsEvaluate(),
	)
	return group(c)
}

// sourceFlags select the data set of digits.
type sourceFlags struct{ digits.Source }

func (s *sourceFlags) add(c *cobra.Command) {
	f := c.Flags()
	f.StringVar(&s.Folder, "digits", "", "folder of MNIST's IDX files, plain or gzipped; absent: rendered digits")
	f.Uint64Var(&s.Seed, "seed", 1, "of rendered digits, and of all that is drawn")
	f.IntVar(&s.Count, "count", 6000, "the most digits to train a first model on")
}

type trainFlags struct {
	sourceFlags
	output, name string
	step         trainStepFlags
}

func newDigitsTrain() *cobra.Command {
	var o trainFlags
	c := &cobra.Command{
		Use:   "train -o FILE | train --data FILE --extra FILE --test FILE --candidate FILE",
		Short: "Train the classifier: into a file, or as a step of a workflow into the tracker",
		Long: `Trains the classifier. With -o, on rendered digits or on MNIST's own files, into a
file.

With --data it is a step of a workflow: it trains the version in production further,
on its digits and on those that were picked, and logs that to the tracker that
MLFLOW_TRACKING_URI names: a run with its parameters, the loss of each epoch and the
model, and a new version of the registered model. The run stays RUNNING until
scanflow digits evaluate has measured the version.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if o.step.data != "" {
				return o.step.run(cmd, o.Seed)
			}
			return o.intoFile(cmd)
		},
	}
	f := c.Flags()
	f.StringVar(&o.Folder, "digits", "", "folder of MNIST's IDX files, plain or gzipped; absent: rendered digits")
	f.StringVarP(&o.output, "output", "o", "model.digits", "file to write the model to")
	f.StringVar(&o.name, "model-version", "", "name of the model; absent: made from its weights")
	f.Uint64Var(&o.Seed, "seed", 1, "of digits and weights")
	f.IntVar(&o.Count, "count", 12000, "training digits to render")
	o.step.add(c)
	for _, other := range []string{"digits", "output", "model-version", "count"} {
		c.MarkFlagsMutuallyExclusive("data", other)
	}
	return c
}

// intoFile trains a model on the whole training set, tests it and writes it to a file.
func (o *trainFlags) intoFile(cmd *cobra.Command) error {
	var data digits.Dataset
	if o.Folder != "" {
		var err error
		if data, err = digits.LoadIDX(o.Folder); err != nil {
			return err
		}
	} else {
		r, err := digits.NewRenderer(digits.DefaultStyle())
		if err != nil {
			return err
		}
		data = r.Dataset(o.Count, max(1, o.Count/6), o.Seed)
	}
	m, err := digits.Train(cmd.Context(), data, digits.TrainOptions{Seed: o.Seed, Version: o.name})
	if err != nil {
		return err
	}
	if err := m.Save(o.output); err != nil {
		return err
	}
	info := m.Info()
	_, err = fmt.Fprintf(cmd.OutOrStdout(), "model %s: accuracy %.4f on %d test digits, trained on %d (%s)\n", info.Version, info.Accuracy, info.TestSize, info.TrainSize, info.Source)
	return err
}
