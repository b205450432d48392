package pod

import (
	"fmt"
	"math"
	"runtime"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/scanflow-k8s/scanflow/engine/mistake"
)

// The resources of a resourceFieldRef and their divisors, after the API server's
// validation (k8s.io/kubernetes v1.37.2, pkg/apis/core/validation,
// validateContainerResourceDivisor) and the kubelet (pkg/api/v1/resource,
// ExtractContainerResourceValue).
const (
	limitsCPU      = "limits.cpu"
	limitsMemory   = "limits.memory"
	requestsCPU    = "requests.cpu"
	requestsMemory = "requests.memory"
)

var (
	cpuDivisors    = []string{"1", "1m"}
	memoryDivisors = []string{"1", "1k", "1M", "1G", "1T", "1P", "1E", "1Ki", "1Mi", "1Gi", "1Ti", "1Pi", "1Ei"}
)

// resourceRef checks a resourceFieldRef of a container.
func (ps *problems) resourceRef(at string, ref *corev1.ResourceFieldSelector, c *corev1.Container) {
	if ref.ContainerName != "" && ref.ContainerName != c.Name {
		ps.add(at+".containerName", "%q is not this container, and it can be told only of its own resources; leave it out", ref.ContainerName)
	}
	known := memoryDivisors
	switch ref.Resource {
	case limitsCPU, requestsCPU:
		known = cpuDivisors
	case limitsMemory, requestsMemory:
	default:
		ps.add(at+".resource", "%q can't be read here; use one of %s", ref.Resource, strings.Join([]string{limitsCPU, limitsMemory, requestsCPU, requestsMemory}, ", "))
		return
	}
	if d := ref.Divisor; !d.IsZero() && !slices.Contains(known, d.String()) {
		ps.add(at+".divisor", "%s can't divide %s; use one of %s", d.String(), ref.Resource, strings.Join(known, ", "))
	}
}

// resource returns the value of a resourceFieldRef: the quantity in units of the divisor,
// rounded up. An unset limit defaults to the node's allocatable amount, and an unset
// request to the limit, as the API server sets it.
func (c *Config) resource(ref *corev1.ResourceFieldSelector) (string, error) {
	resources := c.Spec.Containers[0].Resources
	kind, name, _ := strings.Cut(ref.Resource, ".")
	res := corev1.ResourceName(name)
	limit, limited := resources.Limits[res]
	request, requested := resources.Requests[res]
	var value resource.Quantity
	switch {
	case kind == "requests" && requested:
		value = request
	case kind == "requests" && limited:
		value = limit
	case kind == "requests":
	case limited && !limit.IsZero():
		value = limit
	default:
		var err error
		if value, err = c.allocatable(res); err != nil {
			return "", err
		}
	}
	divisor := ref.Divisor
	if divisor.IsZero() {
		divisor = resource.MustParse("1")
	}
	number, unit := value.Value(), divisor.Value()
	if res == corev1.ResourceCPU {
		number, unit = value.MilliValue(), divisor.MilliValue()
	}
	return strconv.FormatInt(int64(math.Ceil(float64(number)/float64(unit))), 10), nil
}

// CheckLimits returns a mistake for every limit that isn't enforced here. limits.cpu is
// accepted if the container reads it by a resourceFieldRef, so that it can limit itself.
func CheckLimits(c *corev1.Container) mistake.Mistakes {
	var ps problems
	readsLimit := slices.ContainsFunc(c.Env, func(e corev1.EnvVar) bool {
		return e.ValueFrom != nil && e.ValueFrom.ResourceFieldRef != nil && e.ValueFrom.ResourceFieldRef.Resource == limitsCPU
	})
	for _, name := range sortedNames(c.Resources.Limits) {
		at, limit := "resources.limits."+string(name), c.Resources.Limits[name]
		request, requested := c.Resources.Requests[name]
		switch {
		case name != corev1.ResourceCPU:
			ps.add(at, "can't be honoured by the local orchestrator; nothing enforces it on a process; remove it, or keep only requests")
		case !readsLimit:
			ps.add(at, "can't be honoured by the local orchestrator; nothing enforces it on a process, but one that is told of it can hold itself to it: "+
				"add to env {name: CPU_LIMIT, valueFrom: {resourceFieldRef: {resource: limits.cpu, divisor: 1m}}} and have the program mind $(CPU_LIMIT), or remove the limit")
		case limit.Sign() <= 0:
			ps.add(at, "%s is no share of a core; write one above 0", limit.String())
		case requested && request.Cmp(limit) > 0:
			ps.add(at, "%s is less than the request %s; a cluster refuses that", limit.String(), request.String())
		}
	}
	return mistake.Mistakes(ps)
}

func sortedNames(list corev1.ResourceList) []corev1.ResourceName {
	var names []corev1.ResourceName
	for name := range list {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// allocatable returns the allocatable amount of a resource: Config.Allocatable, or the
// pod's cores and the machine's memory.
func (c *Config) allocatable(res corev1.ResourceName) (resource.Quantity, error) {
	if q, given := c.Allocatable[res]; given {
		return q, nil
	}
	if res == corev1.ResourceCPU {
		n := len(c.Cores)
		if n == 0 {
			n = runtime.NumCPU()
		}
		return *resource.NewQuantity(int64(n), resource.DecimalSI), nil
	}
	bytes, err := machineMemory()
	if err != nil {
		return resource.Quantity{}, fmt.Errorf("read how much memory this machine has: %w", err)
	}
	return *resource.NewQuantity(bytes, resource.BinarySI), nil
}
