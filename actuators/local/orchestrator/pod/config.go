package pod

import (
	"errors"
	"os"
	"time"

	"github.com/hashicorp/go-hclog"
	corev1 "k8s.io/api/core/v1"

	"github.com/scanflow-k8s/scanflow/engine"
)

// Config is one pod to run.
type Config struct {
	Namespace, Name, Node string
	// UID must never have been used before: the process carries it in its
	// environment (UIDVariable), so that it can be found again.
	UID                 string
	Labels, Annotations map[string]string
	Spec                corev1.PodSpec
	// IP is the address that the process is reached at; "" is 127.0.0.1.
	IP string
	// HostIP is what status.hostIP stands for; "" is IP.
	HostIP string
	// Cores are those that the process runs on, with all its threads, and the commands
	// of its probes and hooks too; none: all of them. An adopted process keeps what it
	// was started with.
	Cores Cores
	// Allocatable answers a container that asks for a limit that it has
	// not (resourceFieldRef); absent entries are its cores and this machine's memory.
	Allocatable corev1.ResourceList
	// LogPath is the file that gets the process' standard output and error.
	LogPath string
	// ExitPath is the file that gets the exit status of the process, which is learnt by
	// it where nobody of ours was there to collect it; "" keeps none. It is for a process
	// that runs once (RestartPolicy Never), and without effect under KillWithParent.
	ExitPath string
	// Self is the executable that replaces the command word "scanflow", as the
	// image's own would; "" replaces nothing.
	Self string
	// BaseEnv is the environment that the container's own is added to; nil takes a
	// few harmless variables of this process (PATH, HOME, ...) and no other, so
	// that no secret of ours reaches a pod.
	BaseEnv []string
	// Ports maps every containerPort to a free port. With nil the process is
	// reached at the containerPort itself.
	Ports *Ports
	// BackOff is the wait before the second restart, doubled each time; 0 is 10 s.
	BackOff time.Duration
	// EarlyProbe is how often a startup or readiness probe is asked until it first
	// succeeds, so that a pod need not wait a whole period to be ready; 0 is the
	// probe's period. Failures still count once a period.
	EarlyProbe time.Duration
	// KillWithParent has the kernel kill the process when this one dies (Linux
	// only). Such a pod can't be adopted.
	KillWithParent bool
	Clock          engine.Clock
	Log            hclog.Logger
	// OnChange gets every new status, in order, from the pod's own goroutine. It
	// must not wait for Stop or Detach of this pod. It is called once before each
	// start of the process, with PID 0. It may be nil.
	OnChange func(Status)
}

// Status is how a pod is.
type Status struct {
	Phase corev1.PodPhase
	Ready bool
	// Started is set once the startup probe has succeeded, or, without one, as soon
	// as the process runs.
	Started bool
	// PID is 0 while no process runs. StartID tells this process from a later one
	// of the same number.
	PID       int
	StartID   string
	StartedAt time.Time
	Ports     []Port
	Restarts  int
	// Reason is a short key where the pod is not simply running: CrashLoopBackOff,
	// StartError, Stopping. Message is for a person.
	Reason  string
	Message string
	// LastExit is how the process last ended; nil if it never did.
	LastExit *Exit
}

// Port is a containerPort and the port where it is really reached.
type Port struct {
	Name      string `json:"name,omitempty"`
	Container int32  `json:"container"`
	Host      int    `json:"host"`
}

// Exit is how a process ended.
type Exit struct {
	// Code is the exit status, 128 + the signal's number if a signal ended it, and
	// -1 where it is not known (an adopted process is not our child; see ExitPath).
	Code   int
	Signal string
	At     time.Time
}

// Resume is what must be known of a running process to adopt it.
type Resume struct {
	PID       int
	StartID   string
	StartedAt time.Time
	Ports     []Port
	Restarts  int
}

// ErrDetached says that the pod was let go while it was being stopped: its process may still run.
var ErrDetached = errors.New("the pod was detached")

// UIDVariable is the environment variable that carries a pod's UID.
const UIDVariable = "SCANFLOW_POD_UID"

const (
	defaultIP      = "127.0.0.1"
	defaultBackOff = 10 * time.Second
	defaultGrace   = 30 * time.Second
)

// Grace is how long a pod may take to end: its terminationGracePeriodSeconds, 30 s if that is not set.
func Grace(spec *corev1.PodSpec) time.Duration {
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
