package main

import (
	"context"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/pflag"
	node "sigs.k8s.io/kwok/kustomize/stage/node/fast"
	lease "sigs.k8s.io/kwok/kustomize/stage/node/heartbeat-with-lease"
	pod "sigs.k8s.io/kwok/kustomize/stage/pod/fast"
	"sigs.k8s.io/kwok/pkg/config"
	kwok "sigs.k8s.io/kwok/pkg/kwok/cmd"
	"sigs.k8s.io/kwok/pkg/log"
)

// runKwok is kwok's own program: with --config FILE, which holds its stages too.
func runKwok(ctx context.Context) error {
	// component-base has registered a flag `version` that kwok's own would clash with.
	pflag.CommandLine = pflag.NewFlagSet("kwok", pflag.ExitOnError)
	ctx = log.NewContext(ctx, log.NewLogger(os.Stderr, log.LevelInfo))
	global := pflag.NewFlagSet("global", pflag.ContinueOnError)
	global.ParseErrorsAllowlist.UnknownFlags = true
	ctx, err := config.InitFlags(ctx, global)
	if err != nil {
		return err
	}
	command := kwok.NewCommand(ctx)
	command.PersistentFlags().AddFlagSet(global)
	return command.ExecuteContext(ctx)
}

// printStages prints the stages that kwok's module comes with: nodes are Ready at
// once and have a Lease, pods run at once, those of Jobs complete.
func printStages() error {
	_, err := fmt.Println(strings.Join([]string{
		node.DefaultNodeInit, lease.DefaultNodeHeartbeatWithLease,
		pod.DefaultPodReady, pod.DefaultPodComplete, pod.DefaultPodDelete,
	}, "\n---\n"))
	return err
}
