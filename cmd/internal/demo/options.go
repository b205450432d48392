package demo

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/scanflow-k8s/scanflow/cmd/internal/app/policysource"
	"github.com/scanflow-k8s/scanflow/engine/kubernetes/apiclient"
)

// Options configures a demo.
type Options struct {
	// Out receives the output.
	Out io.Writer
	// Speed divides all durations of the scenario: phases, intervals, windows, cooldowns. 1 is
	// about 90 s of load.
	Speed float64
	// Digits is a folder with MNIST's IDX files; "" renders digits.
	Digits string
	// Policies are the policies to run; without paths, an editable copy of the shipped ones.
	Policies policysource.Source
	// Keep leaves everything running after the report, until the context ends.
	Keep bool
	// Dir is the folder of the run's files; "" is a temporary one, removed at the end.
	Dir string
	// Plot is an SVG file for the report's chart; "" writes none.
	Plot string
	// Kubernetes is the cluster to run on; nil is this machine.
	Kubernetes *apiclient.Client
	// GatewayMetrics is the address at which that cluster's gateway is scraped, as host:port.
	GatewayMetrics string
	Seed           uint64
	// Self is the path of this program, which runs the workloads.
	Self string
	Log  hclog.Logger
}

// scaled is a duration of the scenario at the given speed.
func (o *Options) scaled(d time.Duration) time.Duration {
	return time.Duration(float64(d) / o.Speed)
}

// prepare creates the run's folder, and checks the policies before the training. tidy removes
// what was created for this run only.
func (o *Options) prepare(ctx context.Context) (tidy func() error, err error) {
	tidy = func() error { return nil }
	if len(o.Policies.Paths) > 0 {
		if _, err := o.Policies.Read(ctx); err != nil {
			return nil, err
		}
	}
	if o.Dir != "" {
		// Absolute, because programs of the scenario with another working directory use it.
		if o.Dir, err = filepath.Abs(o.Dir); err != nil {
			return nil, fmt.Errorf("--dir: %w", err)
		}
		if err := os.MkdirAll(o.Dir, 0o755); err != nil {
			return nil, fmt.Errorf("--dir: %w", err)
		}
		return tidy, nil
	}
	if o.Dir, err = os.MkdirTemp("", "scanflow-demo-"); err != nil {
		return nil, err
	}
	return func() error { return os.RemoveAll(o.Dir) }, nil
}
