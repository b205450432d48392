package processnode

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/scanflow-k8s/scanflow/actuators/local/orchestrator/pod"
	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/mistake"
)

// UnsupportedError lists the fields of a pod's spec that can't be honoured.
type UnsupportedError struct{ Mistakes mistake.Mistakes }

func (e *UnsupportedError) Error() string {
	return "a process-backed node can't run this pod: " + strings.Join(e.Mistakes.Lines(), "; ")
}

// prepare returns the containers' configurations. It waits for missing ConfigMaps and
// Secrets, like a kubelet, and rejects an unsupported pod.
func (r *podRunner) prepare(ip string) ([]pod.Config, bool) {
	for {
		configs, err := r.configs(r.stopCtx, ip)
		var unsupported *UnsupportedError
		switch {
		case err == nil:
			r.change(func(s *state) { s.waiting = nil })
			return configs, true
		case r.stopCtx.Err() != nil:
			return nil, false
		case errors.As(err, &unsupported):
			r.waitUntilStopped("Unsupported", err)
			return nil, false
		}
		r.setWaiting("CreateContainerConfigError", err)
		if !engine.Sleep(r.stopCtx, r.node.Clock, retryInterval) {
			return nil, false
		}
	}
}

// configs returns a configuration for each container of the pod: the init containers in
// order, then the container. The error is an *UnsupportedError, or temporary.
func (r *podRunner) configs(ctx context.Context, ip string) ([]pod.Config, error) {
	object := r.latest()
	if found := unsupported(&object.Spec); len(found) > 0 {
		return nil, &UnsupportedError{found}
	}
	src := newConfigSources(ctx, r.node.core, object.Namespace)
	folders, err := r.volumes(src, object.Spec.Volumes)
	if err != nil {
		return nil, err
	}
	var out []pod.Config
	var errs []error
	for i, c := range containers(&object.Spec) {
		c := c.DeepCopy()
		if c.Env, err = src.env(c, folders); err != nil {
			errs = append(errs, err)
			continue
		}
		c.EnvFrom = nil // merged into Env
		declareProbePorts(c)
		if c.WorkingDir == "" {
			c.WorkingDir = r.dir
		}
		spec := object.Spec
		spec.InitContainers, spec.Containers = nil, []corev1.Container{*c}
		if i < len(object.Spec.InitContainers) && spec.RestartPolicy == corev1.RestartPolicyAlways {
			spec.RestartPolicy = corev1.RestartPolicyOnFailure
		}
		out = append(out, pod.Config{
			Namespace: object.Namespace, Name: object.Name, Node: r.node.Name, UID: string(object.UID), Labels: object.Labels, Annotations: object.Annotations,
			Spec: spec, Cores: r.node.Cores, Allocatable: r.node.Capacity, IP: ip, HostIP: r.node.addresses.host.String(), LogPath: r.logPath(c.Name), Self: r.node.Self,
			BackOff: r.node.BackOff, InitialProbePeriod: r.node.InitialProbePeriod, KillWithParent: true, Clock: r.node.Clock, Log: r.node.Log.With("namespace", object.Namespace),
		})
	}
	return out, errors.Join(errs...)
}

func (r *podRunner) logPath(container string) string { return filepath.Join(r.dir, container+".log") }

// containers returns the init containers and the container, in the order that they run.
func containers(spec *corev1.PodSpec) []corev1.Container {
	return append(slices.Clone(spec.InitContainers), spec.Containers...)
}

// unsupported returns a mistake for each field that can't be honoured.
func unsupported(spec *corev1.PodSpec) mistake.Mistakes {
	var out mistake.Mistakes
	add := func(path, format string, args ...any) {
		out.Add(path, fmt.Sprintf(format, args...), "")
	}
	if len(spec.Containers) != 1 {
		add("containers", "one container is run, and this has %d; make each a workload of its own", len(spec.Containers))
	}
	if spec.ActiveDeadlineSeconds != nil {
		add("activeDeadlineSeconds", "can't be honoured; set it on the Job")
	}
	for i, v := range spec.Volumes {
		if kind := volumeKind(&v); kind == "" {
			add(fmt.Sprintf("volumes[%d]", i), "%q is neither emptyDir, configMap nor secret", v.Name)
		}
	}
	for i, c := range containers(spec) {
		at := fmt.Sprintf("initContainers[%d]", i)
		if i >= len(spec.InitContainers) {
			at = fmt.Sprintf("containers[%d]", i-len(spec.InitContainers))
		} else if c.RestartPolicy != nil {
			add(at+".restartPolicy", "can't be honoured; make the sidecar a workload of its own")
		}
		if len(c.VolumeDevices) > 0 {
			add(at+".volumeDevices", "can't be honoured")
		}
		// References to ConfigMaps and Secrets are resolved before a container starts.
		c := *c.DeepCopy()
		c.EnvFrom = nil
		for j, e := range c.Env {
			if f := e.ValueFrom; f != nil && (f.ConfigMapKeyRef != nil || f.SecretKeyRef != nil) {
				c.Env[j].ValueFrom = nil
			}
		}
		declareProbePorts(&c)
		alone := corev1.PodSpec{Containers: []corev1.Container{c}}
		for _, p := range pod.Check(&alone) {
			p.Path = at + strings.TrimPrefix(p.Path, "containers[0]")
			out = append(out, p)
		}
	}
	return out
}

// declareProbePorts declares the numeric ports of probes and hooks in the container's
// ports: package pod requires that, and Kubernetes doesn't.
func declareProbePorts(c *corev1.Container) {
	var handlers []corev1.ProbeHandler
	for _, p := range []*corev1.Probe{c.StartupProbe, c.ReadinessProbe, c.LivenessProbe} {
		if p != nil {
			handlers = append(handlers, p.ProbeHandler)
		}
	}
	if c.Lifecycle != nil && c.Lifecycle.PreStop != nil {
		handlers = append(handlers, corev1.ProbeHandler{HTTPGet: c.Lifecycle.PreStop.HTTPGet})
	}
	declare := func(port intstr.IntOrString) {
		if port.Type == intstr.Int && !slices.ContainsFunc(c.Ports, func(p corev1.ContainerPort) bool { return p.ContainerPort == port.IntVal }) {
			c.Ports = append(c.Ports, corev1.ContainerPort{ContainerPort: port.IntVal})
		}
	}
	for _, h := range handlers {
		if h.HTTPGet != nil {
			declare(h.HTTPGet.Port)
		}
		if h.TCPSocket != nil {
			declare(h.TCPSocket.Port)
		}
	}
}
