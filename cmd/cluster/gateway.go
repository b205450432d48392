package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/spf13/cobra"

	"github.com/scanflow-k8s/scanflow/cmd/cluster/gateway"
	"github.com/scanflow-k8s/scanflow/engine/kubernetes/apiclient"
)

const gatewayHelp = `Stands in for a Gateway API implementation: each HTTPRoute listens on 127.0.0.1 at
its parentRefs[].port, and its requests go by its weights to the ready pods of its
Services; 503 where there is none. The routes' statuses say which are accepted.
What arrives is counted under /metrics at --metrics, as by "scanflow run". Ctrl-C ends it.`

// gatewayMetrics is the default address of the gateway's metrics.
const gatewayMetrics = "127.0.0.1:8283"

type gatewayOptions struct {
	kubeconfig, metrics string
	randomPorts         bool
}

func newGateway() *cobra.Command {
	var o gatewayOptions
	var untilInputEnds bool
	c := &cobra.Command{
		Use: "gateway", Short: "Be a gateway that routes by the cluster's HTTPRoutes", Long: gatewayHelp, Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			client, err := apiclient.New(apiclient.Options{Kubeconfig: o.kubeconfig, UserAgent: "stand-in-gateway"})
			if err != nil {
				return err
			}
			ctx := cmd.Context()
			if untilInputEnds {
				var stop context.CancelFunc
				ctx, stop = withInputEnd(ctx, cmd.InOrStdin())
				defer stop()
			}
			listener, err := listenForScrapes(ctx, "--metrics", o.metrics)
			if err != nil {
				return err
			}
			return runGateway(ctx, client, listener, o.randomPorts, cmd.OutOrStdout())
		},
	}
	f := c.Flags()
	f.StringVar(&o.kubeconfig, "kubeconfig", "", "file that says where the API server is; absent: $KUBECONFIG, then ~/.kube/config")
	f.StringVar(&o.metrics, "metrics", gatewayMetrics, "address of its metrics")
	f.BoolVar(&o.randomPorts, "random-ports", false, "have each route listen on a free port, which is printed, instead of its own")
	f.BoolVar(&untilInputEnds, "until-input-ends", false, "end when standard input does, as it does when whoever started it dies")
	return c
}

func listenForScrapes(ctx context.Context, flag, address string) (net.Listener, error) {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", flag, err)
	}
	return l, nil
}

// runGateway runs the gateway until ctx ends, and serves its metrics on the listener, which
// it closes.
func runGateway(ctx context.Context, client *apiclient.Client, listener net.Listener, randomPorts bool, out io.Writer) (err error) {
	g, err := gateway.New(gateway.Options{
		Client: client, RandomPorts: randomPorts, Log: hclog.New(&hclog.LoggerOptions{Name: "gateway", Level: hclog.Warn, Output: os.Stderr}),
		OnListen: func(namespace, name, address string) {
			_, _ = fmt.Fprintf(out, "HTTPRoute %s/%s: http://%s\n", namespace, name, address)
		},
	})
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	registry := prometheus.NewRegistry()
	registry.MustRegister(g.Collector())
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
	stop := serveHTTP(listener, mux)
	defer func() { err = errors.Join(err, stop()) }()
	_, _ = fmt.Fprintf(out, "counts requests on http://%s/metrics\n", listener.Addr())
	return g.Run(ctx)
}

// serveHTTP serves until stop is called, which cuts the requests in flight.
func serveHTTP(listener net.Listener, handler http.Handler) (stop func() error) {
	server := &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	return func() error {
		_ = server.Close()
		if err := <-served; !errors.Is(err, http.ErrServerClosed) {
			return err
		}
		return nil
	}
}

// withInputEnd returns a context that also ends at the end of the input. The reading
// goroutine may outlive the context, because a read of standard input can't be cancelled.
func withInputEnd(ctx context.Context, input io.Reader) (context.Context, context.CancelFunc) {
	ctx, stop := context.WithCancel(ctx)
	go func() {
		_, _ = io.Copy(io.Discard, input)
		stop()
	}()
	return ctx, stop
}
