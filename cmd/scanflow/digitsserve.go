package main

import (
	"cmp"
	"context"
	"errors"
	"net"
	"os"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/spf13/cobra"

	"github.com/scanflow-k8s/scanflow/cmd/internal/digits"
	"github.com/scanflow-k8s/scanflow/cmd/internal/digits/predictionlog"
	"github.com/scanflow-k8s/scanflow/cmd/internal/digits/registry"
	digitserver "github.com/scanflow-k8s/scanflow/cmd/internal/digits/server"
	"github.com/scanflow-k8s/scanflow/engine/mlflow"
)

type serveFlags struct {
	model, listen, experiment string
	work, linger, grace       time.Duration
}

// flushGrace bounds sending the last predictions to the tracker when the server stops.
const flushGrace = 5 * time.Second

func newDigitsServe() *cobra.Command {
	var o serveFlags
	c := &cobra.Command{
		Use:   "serve --model FILE|models:/NAME/VERSION|models:/NAME@ALIAS",
		Short: "Serve predictions over HTTP: /predict, /healthz, /metrics",
		Long: `Serves predictions over HTTP: /predict, /healthz, /metrics. The model is a file, or a
version in the registry of the tracker that MLFLOW_TRACKING_URI names.

With --log-predictions, what was predicted is logged there, in batches. That never
slows a prediction or fails one; what the tracker does not take in time is dropped,
and counted (digits_predictions_dropped_total).

A request's header X-Label tells what its images show. The model never sees it: it
stands for what turns out later. It is logged, and digits_feedback_total counts how
often the model was right:

  sum by (model_version) (increase(digits_feedback_total{correct="true"}[5m]))
    / sum by (model_version) (increase(digits_feedback_total[5m]))`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return o.serve(cmd.Context()) },
	}
	f := c.Flags()
	f.StringVar(&o.model, "model", "", "file or address of the model; absent: $MODEL_URI, and without that model.digits")
	f.StringVar(&o.listen, "listen", "", "address to serve on; absent: $POD_IP (127.0.0.1) and $PORT (8080)")
	f.StringVar(&o.experiment, "log-predictions", "", "experiment to log predictions in; absent: they are not logged")
	f.DurationVar(&o.work, "work", 0, "how long a prediction holds the server at least, as a larger model would")
	f.DurationVar(&o.linger, "linger", 0, "how long new requests are still taken after SIGTERM")
	f.DurationVar(&o.grace, "grace", 10*time.Second, "how long the requests under way may take after SIGTERM")
	return c
}

func (o *serveFlags) serve(ctx context.Context) error {
	if err := checkGrace(o.grace); err != nil {
		return err
	}
	log := newLog(hclog.LoggerOptions{Name: "digits", Output: os.Stderr})
	options := digitserver.Options{
		Addr: cmp.Or(o.listen, net.JoinHostPort(cmp.Or(os.Getenv("POD_IP"), "127.0.0.1"), cmp.Or(os.Getenv("PORT"), "8080"))),
		Work: o.work, Linger: o.linger, Grace: o.grace, Logger: log,
	}
	from := cmp.Or(o.model, os.Getenv("MODEL_URI"), "model.digits")
	var client *mlflow.Client
	var err error
	if registry.IsURI(from) || o.experiment != "" {
		if client, err = registry.Connect(os.Getenv); err != nil {
			return err
		}
		defer client.Close()
	}
	options.Model, options.Version, err = loadModel(ctx, client, from)
	if err != nil {
		return err
	}
	if o.experiment == "" {
		return digitserver.Serve(ctx, options)
	}
	writer, err := os.Hostname()
	if err != nil {
		return err
	}
	predictions, err := predictionlog.Start(predictionlog.Options{
		Client: client, Experiment: o.experiment, Model: options.Version, Writer: writer, Logger: log.Named("log"),
	})
	if err != nil {
		return err
	}
	options.Recorder, options.Collectors = predictions, predictions.Collectors()
	err = digitserver.Serve(ctx, options)
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), flushGrace)
	defer cancel()
	return errors.Join(err, predictions.Close(last))
}

// loadModel loads a model from a file or from the registry, and returns it with its version.
func loadModel(ctx context.Context, client *mlflow.Client, from string) (*digits.Model, string, error) {
	if !registry.IsURI(from) {
		m, err := digits.Load(from)
		if err != nil {
			return nil, "", err
		}
		return m, m.Info().Version, nil
	}
	v, err := registry.Find(ctx, client, from)
	if err != nil {
		return nil, "", err
	}
	m, err := registry.Load(ctx, client, v)
	return m, v.Version, err
}
