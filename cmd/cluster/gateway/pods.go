package gateway

import (
	"context"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/scanflow-k8s/scanflow/actuators/local/orchestrator/router"
)

// runPods updates the router's pods after each change.
func (g *Gateway) runPods(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-g.podWake:
			g.router.SetPods(g.readyPods())
		}
	}
}

// readyPods returns the ready pods. A pod with a deletionTimestamp is not ready.
func (g *Gateway) readyPods() []router.Pod {
	var list []*corev1.Pod
	exists := map[types.UID]bool{}
	for _, o := range g.pods.List() {
		p := o.(*corev1.Pod)
		exists[p.UID] = true
		if PodReady(p) {
			list = append(list, p)
		}
	}
	slices.SortFunc(list, func(a, b *corev1.Pod) int { return strings.Compare(a.Namespace+"/"+a.Name, b.Namespace+"/"+b.Name) })
	out := make([]router.Pod, len(list))
	for i, p := range list {
		if g.inflight[p.UID] == nil {
			g.inflight[p.UID] = &router.Inflight{}
		}
		out[i] = router.Pod{Namespace: p.Namespace, Labels: p.Labels, IP: p.Status.PodIP, Port: portOf(&p.Spec), Inflight: g.inflight[p.UID]}
	}
	for uid := range g.inflight {
		if !exists[uid] {
			delete(g.inflight, uid)
		}
	}
	return out
}

// PodReady reports whether a pod is ready for requests.
func PodReady(p *corev1.Pod) bool {
	return p.DeletionTimestamp == nil && p.Status.PodIP != "" && slices.ContainsFunc(p.Status.Conditions, func(c corev1.PodCondition) bool {
		return c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue
	})
}

// portOf returns a resolver of a Service's targetPort in a pod. A name must be declared in
// the pod's ports, a number needn't be.
func portOf(spec *corev1.PodSpec) func(intstr.IntOrString) (int, bool) {
	return func(target intstr.IntOrString) (int, bool) {
		if target.Type == intstr.Int {
			return int(target.IntVal), true
		}
		for _, c := range spec.Containers {
			for _, p := range c.Ports {
				if p.Name == target.StrVal {
					return int(p.ContainerPort), true
				}
			}
		}
		return 0, false
	}
}
