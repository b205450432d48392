package processnode

import (
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/hashicorp/go-hclog"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/scanflow-k8s/scanflow/actuators/local/orchestrator/pod"
	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/kubernetes/apiclient"
)

// Options say which node to be, and where.
type Options struct {
	Client *apiclient.Client
	// Name of the Node object; no other process may run it.
	Name string
	// Capacity bounds what the scheduler fills; absent entries are 110 pods, 16Gi memory,
	// and as many cpu as there are Cores, or 8. Nothing keeps a process within what it requested.
	Capacity corev1.ResourceList
	// Cores of this machine that the node's pods run on; none: all of them.
	Cores pod.Cores
	// Labels are set on the Node beside those that every node has.
	Labels map[string]string
	// AddressBase is the block of loopback addresses of the node (the first) and of
	// its pods. The zero value takes a /20 of 127.64.0.0/10 that no other node on
	// this machine has.
	AddressBase netip.Prefix
	// Dir is the folder for logs and volumes, made if it isn't there. Logs stay
	// when a pod goes; volumes don't.
	Dir string
	// Self is the executable that the command word "scanflow" stands for.
	Self string
	// Heartbeat is how often the node says that it lives; 0 is 10 s.
	Heartbeat time.Duration
	// BackOff is the wait before a container's second restart; 0 is 10 s.
	BackOff time.Duration
	// EarlyProbe is how often a probe is asked until it first succeeds, where that
	// is shorter than its period; 0 is 200 ms.
	InitialProbePeriod time.Duration
	// StopWithin bounds the time that pods get to end when the node stops, on top
	// of which each has its own grace period; 0 is 30 s.
	StopTimeout time.Duration
	Log         hclog.Logger
	Clock       engine.Clock
}

const (
	defaultHeartbeat          = 10 * time.Second
	defaultInitialProbePeriod = 200 * time.Millisecond
	defaultStopTimeout        = 30 * time.Second
)

func (o *Options) setDefaults() error {
	var errs []error
	if o.Client == nil {
		errs = append(errs, errors.New("there is no client"))
	}
	if why := validation.IsDNS1123Subdomain(o.Name); len(why) > 0 {
		errs = append(errs, fmt.Errorf("name %q: %s", o.Name, strings.Join(why, "; ")))
	}
	if o.Dir == "" {
		errs = append(errs, errors.New("there is no folder for logs"))
	}
	for key, value := range o.Labels {
		if why := append(validation.IsQualifiedName(key), validation.IsValidLabelValue(value)...); len(why) > 0 {
			errs = append(errs, fmt.Errorf("label %s=%s: %s", key, value, strings.Join(why, "; ")))
		}
	}
	if b := o.AddressBase; b.IsValid() && (!b.Addr().Is4() || b.Bits() > 28) {
		errs = append(errs, fmt.Errorf("addresses %s: a block of IPv4 addresses is needed, /28 or larger", b))
	}
	if err := o.Cores.Check(); err != nil {
		errs = append(errs, fmt.Errorf("cores %s: %w", o.Cores, err))
	}
	capacity := corev1.ResourceList{
		corev1.ResourcePods: resource.MustParse("110"), corev1.ResourceCPU: resource.MustParse("8"), corev1.ResourceMemory: resource.MustParse("16Gi"),
	}
	if n := len(o.Cores); n > 0 {
		capacity[corev1.ResourceCPU] = *resource.NewQuantity(int64(n), resource.DecimalSI)
	}
	maps.Copy(capacity, o.Capacity)
	o.Capacity = capacity
	for _, d := range []struct {
		name string
		at   *time.Duration
		to   time.Duration
	}{
		{"heartbeat", &o.Heartbeat, defaultHeartbeat}, {"early probe", &o.InitialProbePeriod, defaultInitialProbePeriod},
		{"back-off", &o.BackOff, 10 * time.Second}, {"stop within", &o.StopTimeout, defaultStopTimeout},
	} {
		if *d.at < 0 {
			errs = append(errs, fmt.Errorf("%s: %s is negative", d.name, *d.at))
		}
		if *d.at == 0 {
			*d.at = d.to
		}
	}
	if o.Clock == nil {
		o.Clock = engine.WallClock{}
	}
	if o.Log == nil {
		o.Log = hclog.NewNullLogger()
	}
	if len(errs) > 0 {
		return fmt.Errorf("options of the node: %w", errors.Join(errs...))
	}
	var err error
	if o.Dir, err = filepath.Abs(o.Dir); err != nil { // pods have another working directory
		return fmt.Errorf("folder of the node: %w", err)
	}
	if err := os.MkdirAll(o.Dir, 0o700); err != nil {
		return fmt.Errorf("folder of the node: %w", err)
	}
	return nil
}
