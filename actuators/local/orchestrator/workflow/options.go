package workflow

import (
	"time"

	"github.com/hashicorp/go-hclog"
	corev1 "k8s.io/api/core/v1"

	"github.com/scanflow-k8s/scanflow/actuators/local/orchestrator/pod"
	"github.com/scanflow-k8s/scanflow/engine"
)

// Options configure a Runner.
type Options struct {
	// Dir has a folder for each run, with its record and the log and files of every step.
	// It is locked: only one process at a time can use it.
	Dir string
	// Self is the executable for the command word "scanflow"; "" looks it up in the PATH.
	Self string
	// KillWithParent makes the kernel kill the steps when this process dies (Linux).
	KillWithParent bool
	// Place chooses the nodes of steps; nil if there are no nodes.
	Place Placer
	// Launcher starts the steps; nil starts them as processes of this machine.
	Launcher Launcher
	// OnChange is called with a run after each of its changes, in order. It must not wait
	// for the Runner. It may be nil.
	OnChange func(Run)
	Clock    engine.Clock
	Log      hclog.Logger
}

func (o *Options) setDefaults() {
	if o.Clock == nil {
		o.Clock = engine.WallClock{}
	}
	if o.Log == nil {
		o.Log = hclog.NewNullLogger()
	}
	if o.OnChange == nil {
		o.OnChange = func(Run) {}
	}
}

// Placer chooses a node for each process of a step.
type Placer interface {
	// Place chooses a node, and counts the pod there until Release. After an error, it is
	// called again when the run is woken, as by Runner.Reschedule.
	Place(Pod) (node string, err error)
	// Cores returns the cores of a node's processes; nil is all of this machine's.
	Cores(node string) pod.Cores
	// Adopt counts a pod that already runs on a node.
	Adopt(p Pod, node string)
	Release(uid string)
}

// Pod is a step's process as a Placer sees it.
type Pod struct {
	UID       string
	Namespace string
	Run       string
	Labels    map[string]string
	Spec      *corev1.PodSpec
}

const (
	// maxRunTime is the deadline of every run, unless its own is shorter.
	maxRunTime = 23 * time.Hour
	// keepRuns and keepFor bound how many ended runs are kept, and for how long. Each is
	// kept for keepMinimum, so that clients that follow it see its end.
	keepRuns    = 20
	keepFor     = 7 * 24 * time.Hour
	keepMinimum = 10 * time.Minute
	// saveRetry is the wait before another attempt to save a record.
	saveRetry = time.Second
)
