package pod

import (
	"errors"
	"os"
	"time"

	"github.com/hashicorp/go-hclog"
	corev1 "k8s.io/api/core/v1"

	"github.com/scanflow-k8s/scanflow/engine"
)

// Config describes a pod to run.
type Config struct {
	Namespace, Name, Node string
	// UID must be unique for all time: the process carries it in its environment
	// (UIDVariable), and ProcessesByUID finds the process by it.
	UID                 string
	Labels, Annotations map[string]string
	Spec                corev1.PodSpec
	// IP is the pod's address; the default is 127.0.0.1.
	IP string
	// HostIP is the value of status.hostIP; the default is IP.
	HostIP string
	// Cores restricts the process, its threads, and the commands of its probes and hooks
	// to these cores; nil allows all of them. An adopted process keeps its affinity.
	Cores Cores
	// Allocatable is the value of a resourceFieldRef to a limit that the container doesn't
	// set. The defaults are the pod's cores and the memory of this machine.
	Allocatable corev1.ResourceList
	// LogPath is the file for the process' standard output and error.
	LogPath string
	// ExitPath is the file for the exit status of the process. It is read when the process
	// ended while it wasn't our child; "" keeps none. It requires RestartPolicy Never, and
	// has no effect with KillWithParent.
	ExitPath string
	// Self is the executable that replaces the command word "scanflow"; "" replaces
	// nothing.
	Self string
	// BaseEnv is the environment that the container's env is added to. The default is a
	// few variables of this process (PATH, HOME, ...), none of which holds a secret.
	BaseEnv []string
	// Ports maps every containerPort to a free port. With nil the process listens on the
	// containerPort itself.
	Ports *PortAllocator
	// BackOff is the wait before the second restart, and doubles from there; the default
	// is 10 s.
	BackOff time.Duration
	// InitialProbePeriod is the period of a startup or readiness probe until it first
	// succeeds, so that a pod becomes ready sooner; the default is the probe's period.
	// Failures still count once a period.
	InitialProbePeriod time.Duration
	// KillWithParent makes the kernel kill the process when this one dies (Linux only).
	// Such a pod can't be adopted.
	KillWithParent bool
	Clock          engine.Clock
	Log            hclog.Logger
	// OnChange is called with every new status, in order, from the pod's goroutine, and
	// once with PID 0 before each start of the process. It must not wait for Stop or
	// Detach of this pod. It may be nil.
	OnChange func(Status)
}

// Status is the observed state of a pod.
type Status struct {
	Phase corev1.PodPhase
	Ready bool
	// Started is set once the startup probe has succeeded, or, without one, as soon
	// as the process runs.
	Started bool
	// PID is 0 while no process runs. StartID distinguishes the process from a later one
	// with the same PID.
	PID       int
	StartID   string
	StartedAt time.Time
	Ports     []Port
	Restarts  int
	// Reason is a short key (CrashLoopBackOff, StartError, Stopping), "" for a pod that
	// simply runs. Message is for a person.
	Reason  string
	Message string
	// LastExit is the last end of the process; nil if it has not ended yet.
	LastExit *Exit
}

// Port is a containerPort and the port of the host that it is mapped to.
type Port struct {
	Name      string `json:"name,omitempty"`
	Container int32  `json:"container"`
	Host      int    `json:"host"`
}

// Exit describes the end of a process.
type Exit struct {
	// Code is the exit status, 128 + the signal's number if a signal ended it, and
	// -1 if it is unknown (an adopted process is not our child; see ExitPath).
	Code   int
	Signal string
	At     time.Time
}

// Handle identifies a running process, and carries the state to adopt it with.
type Handle struct {
	PID       int
	StartID   string
	StartedAt time.Time
	Ports     []Port
	Restarts  int
}

// ErrDetached is returned by Stop if the pod was detached meanwhile: its process may still run.
var ErrDetached = errors.New("the pod was detached")

// UIDVariable is the environment variable that carries a pod's UID.
const UIDVariable = "SCANFLOW_POD_UID"

const (
	defaultIP      = "127.0.0.1"
	defaultBackOff = 10 * time.Second
	defaultGrace   = 30 * time.Second
)

// GracePeriod returns the pod's terminationGracePeriodSeconds, 30 s by default.
func GracePeriod(spec *corev1.PodSpec) time.Duration {
	if spec.TerminationGracePeriodSeconds == nil {
		return defaultGrace
	}
	return time.Duration(*spec.TerminationGracePeriodSeconds) * time.Second
}

func (c *Config) setDefaults() {
	if c.IP == "" {
		c.IP = defaultIP
	}
	if c.HostIP == "" {
		c.HostIP = c.IP
	}
	if c.BackOff == 0 {
		c.BackOff = defaultBackOff
	}
	if c.Clock == nil {
		c.Clock = engine.WallClock{}
	}
	if c.Log == nil {
		c.Log = hclog.NewNullLogger()
	}
	if c.OnChange == nil {
		c.OnChange = func(Status) {}
	}
	if c.BaseEnv == nil {
		for _, name := range []string{"PATH", "HOME", "USER", "TMPDIR", "TZ", "LANG", "LC_ALL"} {
			if v, ok := os.LookupEnv(name); ok {
				c.BaseEnv = append(c.BaseEnv, name+"="+v)
			}
		}
	}
}
