package workflow

import (
	"time"

	"github.com/hashicorp/go-hclog"
	corev1 "k8s.io/api/core/v1"

	"github.com/scanflow-k8s/scanflow/actuators/local/orchestrator/pod"
	"github.com/scanflow-k8s/scanflow/engine"
)

// Options are how a Runner runs.
type Options struct {
	// Dir holds the runs, a folder each: its record, and the log and the files of every
	// step. One process at a time has it.
	Dir string
	// Self is the executable behind the command word "scanflow"; "" leaves that word to
	// the PATH.
	Self string
	// KillWithParent has the kernel kill the steps when this process dies (Linux).
	KillWithParent bool
	// Place chooses the nodes of steps; nil where there are none.
	Place Placer
	// Processes runs the steps; nil runs them as processes of this machine.
	Processes Processes
	// OnChange gets every run as it is after each change, in order for each run. It must
	// not wait for the Runner. It may be nil.
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

// Placer gives each process of a step a node.
type Placer interface {
	// Place chooses a node, and remembers the pod until it is released. The error says
	// what stands in the way; it is asked again when the Runner is poked.
	Place(Pod) (node string, err error)
	// Cores are those that the processes of a node run on; none: all of this machine's.
	Cores(node string) pod.Cores
	// Adopt remembers a pod that has its node already.
	Adopt(p Pod, node string)
	Release(uid string)
}

// Pod is what a Placer knows of a step's process.
type Pod struct {
	UID       string
	Namespace string
	Run       string
	Labels    map[string]string
	Spec      *corev1.PodSpec
}

const (
	// mostRun bounds a run without a deadline of its own.
	mostRun = 23 * time.Hour
	// keepRuns and keepFor bound the runs that have ended and are kept; keepAtLeast is
	// for each of them, so that whoever follows it sees its end.
	keepRuns    = 20
	keepFor     = 7 * 24 * time.Hour
	keepAtLeast = 10 * time.Minute
	// saveAgain is how soon a record that could not be written is tried again.
	saveAgain = time.Second
)
