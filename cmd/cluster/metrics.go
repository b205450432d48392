package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/scanflow-k8s/scanflow/cmd/cluster/podmetrics"
	"github.com/scanflow-k8s/scanflow/engine/kubernetes/apiclient"
)

const metricsHelp = `Serves the custom metrics API for one metric of pods, from a Prometheus, so that a
HorizontalPodAutoscaler with a metric of type Pods works: the part of Prometheus Adapter
that it needs. Ctrl-C ends it. Beside it runs the Prometheus:

  go run ./cmd/cluster prometheus`

// registerTimeout bounds the wait until the API server reaches the metrics server.
const registerTimeout = 30 * time.Second

type metricsOptions struct {
	kubeconfig, prometheus, metric, query string
}

func newMetrics() *cobra.Command {
	var o metricsOptions
	c := &cobra.Command{
		Use: "metrics", Short: "Serve pods' metrics to HorizontalPodAutoscalers, from a Prometheus", Long: metricsHelp, Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return runMetrics(cmd, o) },
	}
	f := c.Flags()
	f.StringVar(&o.kubeconfig, "kubeconfig", "", "file that says where the API server is; absent: $KUBECONFIG, then ~/.kube/config")
	f.StringVar(&o.prometheus, "prometheus", "http://127.0.0.1:9090", "Prometheus to ask")
	f.StringVar(&o.metric, "metric", "requests_per_second", "name that the autoscaler has for the metric")
	f.StringVar(&o.query, "query", `sum by (namespace, pod) (rate(http_requests_total{path="/predict"}[8s]))`, "what the metric is; the series have the labels namespace and pod")
	return c
}

func (o metricsOptions) validate() error {
	var errs []error
	if !strings.HasPrefix(o.prometheus, "http://") && !strings.HasPrefix(o.prometheus, "https://") {
		errs = append(errs, fmt.Errorf("--prometheus: %q is no address: write http://HOST:PORT", o.prometheus))
	}
	if o.metric == "" || strings.ContainsAny(o.metric, "/%? ") {
		errs = append(errs, fmt.Errorf("--metric: %q can't be a metric's name: it is a part of a path", o.metric))
	}
	if strings.TrimSpace(o.query) == "" {
		errs = append(errs, errors.New("--query: none is given"))
	}
	return errors.Join(errs...)
}

func runMetrics(cmd *cobra.Command, o metricsOptions) (err error) {
	if err := o.validate(); err != nil {
		return err
	}
	client, err := apiclient.New(apiclient.Options{Kubeconfig: o.kubeconfig, UserAgent: "pod-metrics"})
	if err != nil {
		return err
	}
	starting, cancel := context.WithTimeout(cmd.Context(), registerTimeout)
	defer cancel()
	server, err := podmetrics.Start(starting, podmetrics.Options{Client: client, Prometheus: o.prometheus, Metric: o.metric, Query: o.query})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, server.Close()) }()
	_, _ = fmt.Fprintf(cmd.OutOrStdout(), "serving %s of pods from %s\n", o.metric, o.prometheus)
	<-cmd.Context().Done()
	return nil
}
