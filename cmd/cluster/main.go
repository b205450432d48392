// Command cluster boots a real Kubernetes control plane on this machine, for developers
// and tests, with nodes that run pods as processes. The packages below it serve this
// cluster only; none of it is part of the product, and only tests and the demos may import
// it. Start reading at up.go. node.go is a node; gateway.go, kubectl.go,
// prometheus.go and metrics.go are further servers for the cluster.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"
)

func main() { os.Exit(run()) }

func run() int {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	root := &cobra.Command{
		Use: "cluster", Short: "A Kubernetes cluster for developers, on this machine",
		SilenceUsage: true, SilenceErrors: true,
	}
	root.AddCommand(newUp(), newNode(), newBuild(), newKubectl(), newGateway(), newPrometheus(), newMetrics())
	if err := root.ExecuteContext(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "cluster:", err)
		return 1
	}
	return 0
}
