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

// Options configure a node.
type Options struct {
	Client *apiclient.Client
	// Name is the name of the Node object, which no other process may use.
	Name string
	// Capacity is the allocatable capacity for the scheduler. The defaults are 110 pods, 16Gi
	// memory, and a cpu for each of Cores, or 8. Requests are not enforced on processes.
	Capacity corev1.ResourceList
	// Cores restricts the node's pods to cores of this machine; nil allows all of them.
	Cores pod.Cores
	// Labels are set on the Node in addition to the standard ones.
	Labels map[string]string
	// AddressBase is the block of loopback addresses of the node (the first) and of its
	// pods. The default is a free /20 of 127.64.0.0/10.
	AddressBase netip.Prefix
	// Dir is the folder for logs and volumes, created if necessary. Logs are kept when a
	// pod is deleted, volumes are not.
	Dir string
	// Self is the executable for the command word "scanflow".
	Self string
	// Heartbeat is the interval of renewing the node's Lease; the default is 10 s.
	Heartbeat time.Duration
	// BackOff is the wait before a container's second restart; the default is 10 s.
	BackOff time.Duration
	// InitialProbePeriod is the period of a probe until it first succeeds, if its own is
	// longer; the default is 200 ms.
	InitialProbePeriod time.Duration
	// StopTimeout bounds the time until all pods have ended when the node stops; the default
	// is 30 s.
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
	if o.Dir, err = filepath.Abs(o.Dir); err != nil { // pods may have another working directory
		return fmt.Errorf("folder of the node: %w", err)
	}
	if err := os.MkdirAll(o.Dir, 0o700); err != nil {
		return fmt.Errorf("folder of the node: %w", err)
	}
	return nil
}
