package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"strconv"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	corev1client "k8s.io/client-go/kubernetes/typed/core/v1"

	"github.com/scanflow-k8s/scanflow/cmd/cluster/gateway"
	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/kubernetes/apiclient"
	"github.com/scanflow-k8s/scanflow/sensors/promengine"
)

const prometheusHelp = `Scrapes the ready pods that the label selector chooses, at their port called http,
and answers queries as Prometheus does. The series have the labels namespace, pod, and
deployment, which is the pod's app.kubernetes.io/name: those that the scrape
configuration in deploy/kubernetes/autoscale gives them. With --gateway it scrapes the
stand-in gateway too: the requests at the entrance. Ctrl-C ends it.`

// podListInterval is the interval of listing the pods.
const podListInterval = time.Second

type prometheusOptions struct {
	kubeconfig, listen, selector, gateway string
	interval                              time.Duration
}

func newPrometheus() *cobra.Command {
	var o prometheusOptions
	c := &cobra.Command{
		Use: "prometheus", Short: "Be a Prometheus that scrapes the cluster's predictors", Long: prometheusHelp, Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return runPrometheus(cmd, o) },
	}
	f := c.Flags()
	f.StringVar(&o.kubeconfig, "kubeconfig", "", "file that says where the API server is; absent: $KUBECONFIG, then ~/.kube/config")
	f.StringVar(&o.listen, "listen", "127.0.0.1:9090", "address to answer queries on")
	f.StringVar(&o.selector, "selector", "app.kubernetes.io/component=predictor", "labels of the pods to scrape")
	f.StringVar(&o.gateway, "gateway", "", "address of the metrics of a gateway to scrape too, as "+gatewayMetrics)
	f.DurationVar(&o.interval, "interval", time.Second, "how often each pod is scraped")
	return c
}

func runPrometheus(cmd *cobra.Command, o prometheusOptions) (err error) {
	ctx := cmd.Context()
	log := hclog.New(&hclog.LoggerOptions{Name: "prometheus", Level: hclog.Warn, Output: os.Stderr})
	client, err := apiclient.New(apiclient.Options{Kubeconfig: o.kubeconfig, UserAgent: "prometheus"})
	if err != nil {
		return err
	}
	core, err := corev1client.NewForConfig(client.Config)
	if err != nil {
		return err
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", o.listen)
	if err != nil {
		return fmt.Errorf("--listen: %w", err)
	}
	prometheus, err := promengine.Open(promengine.Options{ScrapeInterval: o.interval, Log: log})
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	defer func() { err = errors.Join(err, prometheus.Close()) }()
	if o.gateway != "" {
		if err := prometheus.SetTargets("gateway", []promengine.Target{{Address: o.gateway}}); err != nil {
			return errors.Join(fmt.Errorf("--gateway: %w", err), listener.Close())
		}
	}
	stop := serveHTTP(listener, prometheus.Handler())
	defer func() { err = errors.Join(err, stop()) }()
	_, _ = fmt.Fprintf(cmd.OutOrStdout(), "answering queries on http://%s\n", listener.Addr())
	var before []promengine.Target
	for ctx.Err() == nil {
		targets, err := predictors(ctx, core, o.selector)
		switch {
		case err != nil && ctx.Err() == nil:
			log.Warn("can't list the pods, and tries again", "error", err)
		case err == nil && !slices.EqualFunc(before, targets, func(a, b promengine.Target) bool { return a.Address == b.Address }):
			if err := prometheus.SetTargets("predictors", targets); err != nil {
				return err
			}
			_, _ = fmt.Fprintf(cmd.OutOrStdout(), "scraping %d pods\n", len(targets))
			before = targets
		}
		engine.Sleep(ctx, engine.WallClock{}, podListInterval)
	}
	return nil
}

// predictors returns the scrape targets of the ready pods, in the order of their names.
func predictors(ctx context.Context, core corev1client.PodsGetter, selector string) ([]promengine.Target, error) {
	list, err := core.Pods("").List(ctx, metav1.ListOptions{LabelSelector: selector})
	if err != nil {
		return nil, err
	}
	var out []promengine.Target
	for _, p := range list.Items {
		if !gateway.PodReady(&p) {
			continue
		}
		for _, c := range p.Spec.Containers {
			for _, port := range c.Ports {
				if port.Name == "http" {
					out = append(out, promengine.Target{
						Address: net.JoinHostPort(p.Status.PodIP, strconv.Itoa(int(port.ContainerPort))),
						Labels:  map[string]string{"namespace": p.Namespace, "pod": p.Name, "deployment": p.Labels["app.kubernetes.io/name"]},
					})
				}
			}
		}
	}
	return out, nil
}
