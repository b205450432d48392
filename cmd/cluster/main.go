// Command cluster gives a developer a real Kubernetes control plane on this machine,
// with nodes that run pods as processes, and is such a node itself. It is never part
// of what ships. Start reading at up.go; node.go is one node; gateway.go, kubectl.go,
// prometheus.go and metrics.go are further servers of a cluster.
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
