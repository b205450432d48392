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

// Options are how the demo is run.
type Options struct {
	// Out gets what a person reads.
	Out io.Writer
	// Speed divides every duration of the scenario: phases, intervals, windows,
	// cooldowns. 1 is about 90 s of load.
	Speed float64
	// Digits is a folder of MNIST's IDX files; "" renders digits.
	Digits string
	// Policies are those to run; without paths, a copy of the ones that ship, to edit.
	Policies policysource.Source
	// Keep leaves everything running after the report, until the context ends.
	Keep bool
	// Dir is where the run keeps its files; "" is a temporary folder, removed at the end.
	Dir string
	// Plot is the file that the report's picture is written to, as SVG; "" is none.
	Plot string
	// Kubernetes is the cluster to run on; nil is this machine.
	Kubernetes *apiclient.Client
	// GatewayMetrics is where that cluster's gateway is scraped, as host:port.
	GatewayMetrics string
	Seed           uint64
	// Self is this program, which the workloads are started from.
	Self string
	Log  hclog.Logger
}

// scaled is a duration of the scenario at the speed chosen.
func (o *Options) scaled(d time.Duration) time.Duration {
	return time.Duration(float64(d) / o.Speed)
}

// prepare makes the run's folder, and looks at the policies before anybody waits for a
// training. tidy removes what was made for this run alone.
func (o *Options) prepare(ctx context.Context) (tidy func() error, err error) {
	tidy = func() error { return nil }
	if len(o.Policies.Paths) > 0 {
		if _, err := o.Policies.Read(ctx); err != nil {
			return nil, err
		}
	}
	if o.Dir != "" {
		// Absolute, as programs of the scenario that run elsewhere are told of it.
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
