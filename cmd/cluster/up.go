package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/scanflow-k8s/scanflow/cmd/cluster/testcluster"
	"github.com/scanflow-k8s/scanflow/cmd/cluster/workflowcontroller"
)

const upHelp = `Boots etcd, kube-apiserver, kube-controller-manager and kube-scheduler on loopback
ports, installs Scanflow's custom resources, and starts nodes that run pods as
processes. All of it ends with this command, and the cluster's state with it.

A pod's container needs a command, as no image is pulled; the word "scanflow" is
this checkout's own program. Each pod has a loopback address of its own.`

type upOptions struct {
	nodes, kwokNodes int
	workflows        bool
	gateway          bool
	gatewayMetrics   string
	cores            []string
	workflowPods     bool
	dir, kubeconfig  string
}

func newUp() *cobra.Command {
	var o upOptions
	c := &cobra.Command{
		Use: "up", Short: "Boot a cluster, and keep it until Ctrl-C", Long: upHelp, Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return up(cmd, o) },
	}
	f := c.Flags()
	f.IntVar(&o.nodes, "nodes", 2, "nodes that run pods as processes: node-1, node-2, ...")
	f.StringArrayVar(&o.cores, "cores", nil, "once for each such node: NODE=CORES, with the cores of this machine that its pods run on, as node-1=0-1 or node-2=2,3 (Linux); absent: all of them")
	f.IntVar(&o.kwokNodes, "kwok-nodes", 0, "nodes that only say they run pods, 1,000 each, for fleets; with both kinds, choose by nodeSelector {scanflow.dev/node: process} or {... kwok}")
	f.BoolVar(&o.workflows, "workflows", false, "run Argo Workflows of WorkflowTemplates, their steps as processes, by a stand-in for Argo's controller")
	f.BoolVar(&o.gateway, "gateway", false, "route requests by HTTPRoutes, on 127.0.0.1 at the port of their parentRefs, by a stand-in for a gateway")
	f.StringVar(&o.gatewayMetrics, "gateway-metrics", gatewayMetrics, "with --gateway: address of its metrics")
	f.BoolVar(&o.workflowPods, "workflow-pods", false, "with --workflows: each step is a pod, which the scheduler places and the nodes run, so that where it may go means something")
	f.StringVar(&o.dir, "dir", "", "folder for state and logs, which must be empty; absent: a temporary one, removed at the end")
	f.StringVar(&o.kubeconfig, "kubeconfig", "", "file to write the kubeconfig to, which must not exist; absent: one in the folder")
	return c
}

func up(cmd *cobra.Command, o upOptions) (err error) {
	ctx, out := cmd.Context(), cmd.OutOrStdout()
	if o.nodes < 0 || o.kwokNodes < 0 {
		return errors.New("--nodes and --kwok-nodes can't be negative")
	}
	if cmd.Flags().Changed("gateway-metrics") && !o.gateway {
		return errors.New("--gateway-metrics: goes with --gateway; give that too")
	}
	cores, err := o.coresOfNodes()
	if err != nil {
		return err
	}
	if o.workflowPods && (!o.workflows || o.kwokNodes > 0 || o.nodes == 0) {
		return errors.New("--workflow-pods goes with --workflows and --nodes, and without --kwok-nodes: a pod there only says that it runs")
	}
	dir, clean, err := clusterDir(o.dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, clean()) }()
	printf := func(format string, args ...any) { _, _ = fmt.Fprintf(out, format+"\n", args...) }

	printf("booting the control plane (built from source at the very first time, which takes minutes) ...")
	started := time.Now()
	c, err := testcluster.Start(ctx, dir)
	if err != nil {
		return interrupted(ctx, err)
	}
	defer func() { err = errors.Join(err, c.Stop()) }()
	printf("control plane up after %s", time.Since(started).Round(100*time.Millisecond))

	binaries, err := c.BuildBinaries(ctx)
	if err != nil {
		return interrupted(ctx, err)
	}
	definitions, err := filepath.Glob(filepath.Join(binaries.Source, "deploy", "crds", "*.yaml"))
	if err != nil {
		return err
	}
	for _, file := range definitions {
		if err := c.Install(ctx, strings.TrimSuffix(filepath.Base(file), ".yaml")); err != nil {
			return interrupted(ctx, err)
		}
	}
	var names []string
	for _, name := range o.nodeNames() {
		var flags []string
		if nodeCores, given := cores[name]; given {
			flags = []string{"--cores", nodeCores.String()}
		}
		n, err := c.StartNode(name, binaries, flags...)
		if err != nil {
			return err
		}
		defer func() { _ = n.Stop() }() // its errors don't matter, since the cluster ends next
		names = append(names, name)
	}
	if err := c.WaitNodesReady(ctx, names...); err != nil {
		return interrupted(ctx, err)
	}
	if o.kwokNodes > 0 {
		if err := c.AddKwokNodes(ctx, o.kwokNodes); err != nil {
			return interrupted(ctx, err)
		}
	}
	if o.workflows {
		end, err := runWorkflows(ctx, c, workflowcontroller.Options{Dir: filepath.Join(dir, "workflows"), Self: binaries.Scanflow, Pods: o.workflowPods})
		if err != nil {
			return interrupted(ctx, err)
		}
		defer func() { err = errors.Join(err, end()) }()
		printf("workflows run, by a stand-in for Argo's controller")
	}
	if o.gateway {
		end, err := startGateway(ctx, c, o.gatewayMetrics, out)
		if err != nil {
			return interrupted(ctx, err)
		}
		defer func() { err = errors.Join(err, end()) }()
		printf("requests are routed by HTTPRoutes, by a stand-in for a gateway")
	}
	config := c.Kubeconfig()
	if o.kubeconfig != "" {
		if config, err = filepath.Abs(o.kubeconfig); err != nil {
			return err
		}
		if err := copyExclusive(c.Kubeconfig(), config); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, os.Remove(config)) }()
	}
	printf("%d process-backed and %d kwok nodes are ready after %s; logs are in %s", o.nodes, o.kwokNodes, time.Since(started).Round(100*time.Millisecond), dir)
	printf("\nIn another terminal:\n\n  export KUBECONFIG=%s\n  kubectl get nodes\n\nWithout kubectl on this machine: go run ./cmd/cluster kubectl get nodes\nA Prometheus for it: go run ./cmd/cluster prometheus. What to do with it: docs/kubernetes.md\n\nCtrl-C ends the cluster and everything in it.", config)
	<-ctx.Done()
	printf("stopping ...")
	return nil
}

// runWorkflows runs the workflow controller until end is called, which waits for the steps.
func runWorkflows(ctx context.Context, c *testcluster.Cluster, how workflowcontroller.Options) (end func() error, err error) {
	if err := c.Install(ctx, "workflow", "workflowtemplate"); err != nil {
		return nil, err
	}
	how.Client, how.KillWithParent = c.Client(), true
	return background(ctx, func(ctx context.Context) error { return workflowcontroller.Run(ctx, how) }), nil
}

// background runs a function until end is called, which waits for it. The function's
// context doesn't end with ctx.
func background(ctx context.Context, run func(context.Context) error) (end func() error) {
	ctx, stop := context.WithCancel(context.WithoutCancel(ctx))
	done := make(chan error, 1)
	go func() { done <- run(ctx) }()
	return func() error { stop(); return <-done }
}

// startGateway runs the gateway until end is called, which waits for the requests in flight.
func startGateway(ctx context.Context, c *testcluster.Cluster, metrics string, out io.Writer) (end func() error, err error) {
	if err := c.Install(ctx, "httproute"); err != nil {
		return nil, err
	}
	listener, err := listenForScrapes(ctx, "--gateway-metrics", metrics)
	if err != nil {
		return nil, err
	}
	return background(ctx, func(ctx context.Context) error {
		err := runGateway(ctx, c.Client(), listener, false, out)
		if err != nil {
			_, _ = fmt.Fprintln(out, "the gateway ended:", err)
		}
		return err
	}), nil
}

// interrupted replaces the error of a boot that was interrupted by Ctrl-C.
func interrupted(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return errors.New("interrupted")
	}
	return err
}

// clusterDir returns the cluster's folder, and a function that removes it if it is temporary.
func clusterDir(dir string) (path string, clean func() error, err error) {
	if dir == "" {
		made, err := os.MkdirTemp("", "scanflow-cluster-")
		return made, func() error { return os.RemoveAll(made) }, err
	}
	if dir, err = filepath.Abs(dir); err != nil {
		return "", nil, err
	}
	found, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return "", nil, fmt.Errorf("--dir: %w", err)
	}
	if len(found) > 0 {
		return "", nil, fmt.Errorf("--dir: %s is not empty, and a cluster always begins anew; remove it or name another folder", dir)
	}
	return dir, func() error { return nil }, nil
}

// copyExclusive copies a file with credentials, and fails if the destination exists.
func copyExclusive(from, to string) error {
	raw, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	f, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("--kubeconfig: %w; name a file that isn't there yet", err)
	}
	_, err = f.Write(raw)
	return errors.Join(err, f.Close())
}
