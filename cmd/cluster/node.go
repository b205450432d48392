package main

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/scanflow-k8s/scanflow/actuators/local/orchestrator/pod"
	"github.com/scanflow-k8s/scanflow/cmd/cluster/processnode"
	"github.com/scanflow-k8s/scanflow/engine/kubernetes/apiclient"
)

func newNode() *cobra.Command {
	var o processnode.Options
	var kubeconfig, block, level, cores string
	var capacity map[string]string
	var untilInputEnds bool
	c := &cobra.Command{
		Use:   "node --name NAME --dir DIR",
		Short: "Be a node whose pods are processes",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var err error
			if o.Client, err = apiclient.New(apiclient.Options{Kubeconfig: kubeconfig, UserAgent: "process-node/" + o.Name}); err != nil {
				return err
			}
			if block != "" {
				if o.AddressBase, err = netip.ParsePrefix(block); err != nil {
					return fmt.Errorf("--addresses: %w", err)
				}
			}
			if cmd.Flags().Changed("cores") {
				if o.Cores, err = pod.ParseCores(cores); err != nil {
					return fmt.Errorf("--cores %s: %w", cores, err)
				}
			}
			if o.Capacity, err = quantities(capacity); err != nil {
				return err
			}
			o.Log = hclog.New(&hclog.LoggerOptions{Name: "node", Level: hclog.LevelFromString(level), Output: os.Stderr})
			ctx := cmd.Context()
			if untilInputEnds {
				var stop context.CancelFunc
				ctx, stop = withInputEnd(ctx, cmd.InOrStdin())
				defer stop()
			}
			return processnode.Run(ctx, o)
		},
	}
	f := c.Flags()
	f.StringVar(&kubeconfig, "kubeconfig", "", "file that says where the API server is; absent: $KUBECONFIG, then ~/.kube/config")
	f.StringVar(&o.Name, "name", "", "name of the node")
	f.StringVar(&o.Dir, "dir", "", "folder for logs and volumes")
	f.StringVar(&o.Self, "self", "", `program that a container's command word "scanflow" stands for; absent: the one on the PATH`)
	f.StringVar(&block, "addresses", "", "block of loopback addresses for the node and its pods, as 127.60.0.0/16; absent: a free one")
	f.StringVar(&cores, "cores", "", "cores of this machine that its pods run on, as 0-1 or 2,3 (Linux); absent: all of them")
	f.StringToStringVar(&capacity, "capacity", nil, "what the scheduler may fill, as cpu=8,memory=16Gi,pods=110; cpu is as many as --cores names, if it is given")
	f.StringToStringVar(&o.Labels, "labels", nil, "labels of the node, as zone=a,disk=ssd")
	f.DurationVar(&o.Heartbeat, "heartbeat", 0, "how often the node says that it lives; 0: 10s")
	f.DurationVar(&o.BackOff, "back-off", 10*time.Second, "wait before a container's second restart, doubled each time")
	f.StringVar(&level, "log-level", "info", "trace, debug, info, warn or error")
	f.BoolVar(&untilInputEnds, "until-input-ends", false, "end when standard input does, as it does when whoever started the node dies")
	return c
}

func quantities(from map[string]string) (corev1.ResourceList, error) {
	out := corev1.ResourceList{}
	for name, text := range from {
		q, err := resource.ParseQuantity(text)
		if err != nil {
			return nil, fmt.Errorf("--capacity %s=%s: %w", name, text, err)
		}
		out[corev1.ResourceName(name)] = q
	}
	return out, nil
}
