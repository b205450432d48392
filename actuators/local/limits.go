package local

import (
	corev1 "k8s.io/api/core/v1"

	"github.com/scanflow-k8s/scanflow/actuators/local/orchestrator/pod"
)

// limits checks those of a container.
func (c *checker) limits(at string, of *corev1.Container) {
	for _, p := range pod.CheckLimits(of) {
		c.add(at+"."+p.Path, "%s", p.Message)
	}
}
