package local

import (
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/scanflow-k8s/scanflow/engine"
)

// Options are how an Orchestrator runs.
type Options struct {
	// StateDir holds the records of pods, what actuators asked for, and the pods'
	// logs. It must be given; one process at a time has it.
	StateDir string
	// Nodes are those that pods are spread over; nil is node-0, node-1, node-2, with no cores
	// of their own.
	Nodes []Node
	// Self is the executable behind the command word "scanflow"; "" leaves that
	// word to the PATH.
	Self string
	// RandomPorts has Services and HTTPRoutes listen on free ports instead of their
	// own: Address tells which.
	RandomPorts bool
	// BackOff is the wait before a pod's second restart, doubled each time up to 5
	// min; 0 is 10 s. The first restart comes at once.
	BackOff time.Duration
	// KillWithParent has the kernel kill the pods when this process dies (Linux).
	// Then nothing is left to adopt: it is for a demo.
	KillWithParent bool
	Clock          engine.Clock
	Log            hclog.Logger
	// Seed makes the names of pods repeatable.
	Seed uint64
}

func (o *Options) setDefaults() {
	if len(o.Nodes) == 0 {
		o.Nodes = []Node{{Name: "node-0"}, {Name: "node-1"}, {Name: "node-2"}}
	}
	if o.Clock == nil {
		o.Clock = engine.WallClock{}
	}
	if o.Log == nil {
		o.Log = hclog.NewNullLogger()
	}
}

// keepLogs is how long the log of a pod that is no more is kept.
const keepLogs = 7 * 24 * time.Hour

// earlyProbe is how often a pod that isn't ready yet is asked.
const earlyProbe = 50 * time.Millisecond
