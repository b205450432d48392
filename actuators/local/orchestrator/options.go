package orchestrator

import (
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/scanflow-k8s/scanflow/engine"
)

// Options configure an Orchestrator.
type Options struct {
	// StateDir holds the records of pods, the overrides, the pods' logs and the runs of
	// workflows. It is required; only one process at a time can open it.
	StateDir string
	// Nodes default to node-0, node-1 and node-2, with no cores of their own.
	Nodes []Node
	// Self is the executable that the command "scanflow" of a container stands for; with ""
	// it is looked up in the PATH.
	Self string
	// RandomPorts has Services and HTTPRoutes listen on free ports instead of their own
	// (see Address).
	RandomPorts bool
	// BackOff is the wait before a pod's second restart, doubled each time up to 5 min; 0
	// stands for 10 s. There is no wait before the first restart.
	BackOff time.Duration
	// KillWithParent has the kernel kill the pods when this process dies (Linux only), so
	// that none is left to adopt. It is meant for demos.
	KillWithParent bool
	Clock          engine.Clock
	Log            hclog.Logger
	// Seed makes the names of pods reproducible.
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

// keepLogs is the time for which the log of a deleted pod is kept after its last line.
const keepLogs = 7 * 24 * time.Hour

// earlyProbe is the interval of readiness probes until a pod is ready.
const earlyProbe = 50 * time.Millisecond
