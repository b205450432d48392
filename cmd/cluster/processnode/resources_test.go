package processnode

import (
	"testing"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/scanflow-k8s/scanflow/actuators/local/orchestrator/pod/testpod"
)

// A resourceFieldRef is the container's limit, or the node's capacity without a limit.
func TestAContainerIsToldOfItsResources(t *testing.T) {
	b := newBench(t)
	b.node("", func(o *Options) {
		o.Capacity = corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("3"), corev1.ResourceMemory: resource.MustParse("2Gi")}
	})
	ask := func(name, resources string) []string {
		b.cluster.Apply(t, b.pod(name, "", `resources: `+resources+`
env:
- {name: `+testpod.Role+`, value: "1"}
- {name: GORACE, value: atexit_sleep_ms=0}
- {name: POD_IP, valueFrom: {fieldRef: {fieldPath: status.podIP}}}
- {name: LIMIT, valueFrom: {resourceFieldRef: {resource: limits.cpu, divisor: 1m}}}
- {name: REQUEST, valueFrom: {resourceFieldRef: {resource: requests.cpu, divisor: 1m, containerName: main}}}
- {name: MEMORY, valueFrom: {resourceFieldRef: {resource: limits.memory, divisor: 1Mi}}}
- {name: CPU, value: $(LIMIT)m}`))
		var p *corev1.Pod
		b.until("it serves", func() bool { p = b.get(name); return isReady(p) && b.ask(p, "/") == name })
		var got []string
		for _, v := range []string{"CPU", "REQUEST", "MEMORY"} {
			got = append(got, b.ask(p, "/env?name="+v))
		}
		return got
	}
	require.Equal(t, []string{"150m", "150", "64"}, ask("limited", "{limits: {cpu: 150m, memory: 64Mi}}"))
	require.Equal(t, []string{"3000m", "20", "2048"}, ask("unlimited", "{requests: {cpu: 20m}}"))
}
