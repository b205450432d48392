package main

import (
	"fmt"
	"os"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/spf13/cobra"

	"github.com/scanflow-k8s/scanflow/cmd/internal/digits"
	digitserver "github.com/scanflow-k8s/scanflow/cmd/internal/digits/server"
)

func newDigits() *cobra.Command {
	c := &cobra.Command{Use: "digits", Short: "The sample workload: a digit classifier"}
	c.AddCommand(newDigitsTrain(), newDigitsServe())
	return group(c)
}

func newDigitsTrain() *cobra.Command {
	var folder, output, name string
	var seed uint64
	var count int
	c := &cobra.Command{
		Use:   "train -o FILE",
		Short: "Train the classifier, on rendered digits or on MNIST's own files",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var data digits.Dataset
			if folder != "" {
				var err error
				if data, err = digits.LoadIDX(folder); err != nil {
					return err
				}
			} else {
				r, err := digits.NewRenderer(digits.DefaultStyle())
				if err != nil {
					return err
				}
				data = r.Dataset(count, max(1, count/6), seed)
			}
			m, err := digits.Train(cmd.Context(), data, digits.TrainOptions{Seed: seed, Version: name})
			if err != nil {
				return err
			}
			if err := m.Save(output); err != nil {
				return err
			}
			info := m.Info()
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "model %s: accuracy %.4f on %d test digits, trained on %d (%s)\n", info.Version, info.Accuracy, info.TestSize, info.TrainSize, info.Source)
			return err
		},
	}
	f := c.Flags()
	f.StringVar(&folder, "digits", "", "folder of MNIST's IDX files, plain or gzipped; absent: rendered digits")
	f.StringVarP(&output, "output", "o", "model.digits", "file to write the model to")
	f.StringVar(&name, "model-version", "", "name of the model; absent: made from its weights")
	f.Uint64Var(&seed, "seed", 1, "of digits and weights")
	f.IntVar(&count, "count", 12000, "training digits to render")
	return c
}

func newDigitsServe() *cobra.Command {
	var model, listen string
	var work, linger, grace time.Duration
	c := &cobra.Command{
		Use:   "serve --model FILE",
		Short: "Serve predictions over HTTP: /predict, /healthz, /metrics",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			m, err := digits.Load(model)
			if err != nil {
				return err
			}
			return digitserver.Serve(cmd.Context(), digitserver.Options{
				Addr: listen, Model: m, Work: work, Linger: linger, Grace: grace,
				Logger: hclog.New(&hclog.LoggerOptions{Name: "digits", Output: os.Stderr}),
			})
		},
	}
	f := c.Flags()
	f.StringVar(&model, "model", "model.digits", "file of the model")
	f.StringVar(&listen, "listen", "127.0.0.1:8080", "address to serve on")
	f.DurationVar(&work, "work", 0, "how long a prediction holds the server at least, as a larger model would")
	f.DurationVar(&linger, "linger", 0, "how long new requests are still taken after SIGTERM")
	f.DurationVar(&grace, "grace", 10*time.Second, "how long the requests under way may take after SIGTERM")
	return c
}
