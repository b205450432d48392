package demo

import (
	"io"
	"time"

	"github.com/hashicorp/go-hclog"
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
	// Policies is the folder or bundle to run; "" copies the ones that ship, to edit.
	Policies string
	// Keep leaves everything running after the report, until the context ends.
	Keep bool
	// Dir is where the run keeps its files; "" is a temporary folder, removed at the end.
	Dir  string
	Seed uint64
	// Self is this program, which the workloads are started from.
	Self string
	Log  hclog.Logger
}

// scaled is a duration of the scenario at the speed chosen.
func (o *Options) scaled(d time.Duration) time.Duration {
	return time.Duration(float64(d) / o.Speed)
}
