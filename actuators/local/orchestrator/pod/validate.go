package pod

import (
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/scanflow-k8s/scanflow/engine/mistake"
)

type problems mistake.Mistakes

func (ps *problems) add(path, format string, args ...any) {
	*ps = append(*ps, mistake.Mistake{Path: path, Message: fmt.Sprintf(format, args...)})
}

// Check returns a mistake for every field of the spec that this package can't honour. It
// ignores the fields that a cluster sets by default (dnsPolicy, schedulerName, ...) and
// those that mean nothing to a process (image).
func Check(spec *corev1.PodSpec) mistake.Mistakes {
	var ps problems
	if n := len(spec.InitContainers); n > 0 {
		ps.add("initContainers", "a process-backed pod runs one container and nothing before it; do that work in the container's own start")
	}
	if g := spec.TerminationGracePeriodSeconds; g != nil && *g < 0 {
		ps.add("terminationGracePeriodSeconds", "%d is negative", *g)
	}
	if len(spec.Containers) != 1 {
		path := "containers"
		if len(spec.Containers) > 1 {
			path = "containers[1]"
		}
		ps.add(path, "a process-backed pod runs exactly one container, and this has %d; make each a workload of its own", len(spec.Containers))
		return mistake.Mistakes(ps)
	}
	ps.container("containers[0]", &spec.Containers[0])
	return mistake.Mistakes(ps)
}

func (ps *problems) container(at string, c *corev1.Container) {
	if len(c.Command) == 0 || c.Command[0] == "" {
		ps.add(at+".command", "is not set, and no image is run here to take it from; write the program and its arguments")
	}
	if len(c.EnvFrom) > 0 {
		ps.add(at+".envFrom", "ConfigMaps and Secrets are not read here; write the variables in env")
	}
	ps.ports(at+".ports", c.Ports)
	ps.env(at+".env", c)
	ps.probe(at+".startupProbe", c.StartupProbe, c.Ports)
	ps.probe(at+".readinessProbe", c.ReadinessProbe, c.Ports)
	ps.probe(at+".livenessProbe", c.LivenessProbe, c.Ports)
	if c.Lifecycle == nil {
		return
	}
	if c.Lifecycle.PostStart != nil {
		ps.add(at+".lifecycle.postStart", "can't be honoured here; do that work in the container's own start")
	}
	if h := c.Lifecycle.PreStop; h != nil {
		at += ".lifecycle.preStop"
		if h.TCPSocket != nil {
			ps.add(at+".tcpSocket", "can't be honoured; use exec, httpGet or sleep")
		}
		if h.HTTPGet != nil {
			ps.httpGet(at+".httpGet", h.HTTPGet, c.Ports)
		}
		if h.Exec != nil && len(h.Exec.Command) == 0 {
			ps.add(at+".exec.command", "is empty")
		}
		if n := count(h.Exec != nil, h.HTTPGet != nil, h.Sleep != nil); n != 1 {
			ps.add(at, "wants exactly one of exec, httpGet, sleep")
		}
	}
}

func (ps *problems) ports(at string, ports []corev1.ContainerPort) {
	names, numbers := map[string]bool{}, map[int32]bool{}
	for i, p := range ports {
		at := fmt.Sprintf("%s[%d]", at, i)
		if p.ContainerPort < 1 || p.ContainerPort > 65535 {
			ps.add(at+".containerPort", "%d is not a port; use 1 to 65535", p.ContainerPort)
		}
		if numbers[p.ContainerPort] {
			ps.add(at+".containerPort", "%d is declared twice", p.ContainerPort)
		}
		if p.Protocol != "" && p.Protocol != corev1.ProtocolTCP {
			ps.add(at+".protocol", "%s can't be honoured here; only TCP can", p.Protocol)
		}
		if p.Name != "" {
			if why := validation.IsValidPortName(p.Name); len(why) > 0 {
				ps.add(at+".name", "%q: %s", p.Name, strings.Join(why, "; "))
			}
			if names[p.Name] {
				ps.add(at+".name", "%q is used twice", p.Name)
			}
		}
		names[p.Name], numbers[p.ContainerPort] = true, true
	}
}

func (ps *problems) env(at string, container *corev1.Container) {
	var c Config
	for i, e := range container.Env {
		at := fmt.Sprintf("%s[%d]", at, i)
		if e.Name == "" || strings.ContainsAny(e.Name, "=\x00") {
			ps.add(at+".name", "%q is not the name of an environment variable", e.Name)
		}
		if strings.ContainsRune(e.Value, 0) {
			ps.add(at+".value", "holds a NUL character")
		}
		if e.Name == UIDVariable {
			ps.add(at+".name", "%s is set by what runs the pod; use another name", UIDVariable)
		}
		if e.ValueFrom == nil {
			continue
		}
		if e.Value != "" {
			ps.add(at+".valueFrom", "is set beside value; keep one of them")
		}
		from := e.ValueFrom
		if from.ResourceFieldRef != nil {
			if from.FieldRef != nil {
				ps.add(at+".valueFrom", "has a fieldRef beside a resourceFieldRef; keep one of them")
			}
			ps.resourceRef(at+".valueFrom.resourceFieldRef", from.ResourceFieldRef, container)
			continue
		}
		if _, err := c.field(from.FieldRef); err != nil {
			ps.add(at+".valueFrom", "%v", err)
		}
	}
}

func (ps *problems) probe(at string, p *corev1.Probe, ports []corev1.ContainerPort) {
	if p == nil {
		return
	}
	if n := count(p.HTTPGet != nil, p.TCPSocket != nil, p.Exec != nil); n != 1 || p.GRPC != nil {
		ps.add(at, "wants exactly one of httpGet, tcpSocket, exec")
	}
	if p.HTTPGet != nil {
		ps.httpGet(at+".httpGet", p.HTTPGet, ports)
	}
	if p.TCPSocket != nil {
		if p.TCPSocket.Host != "" {
			ps.add(at+".tcpSocket.host", "can't be honoured; the probe goes to the pod itself")
		}
		ps.port(at+".tcpSocket.port", p.TCPSocket.Port, ports)
	}
	if p.Exec != nil && len(p.Exec.Command) == 0 {
		ps.add(at+".exec.command", "is empty")
	}
	for name, v := range map[string]int32{
		"initialDelaySeconds": p.InitialDelaySeconds, "periodSeconds": p.PeriodSeconds, "timeoutSeconds": p.TimeoutSeconds,
		"successThreshold": p.SuccessThreshold, "failureThreshold": p.FailureThreshold,
	} {
		if v < 0 {
			ps.add(at+"."+name, "%d is negative", v)
		}
	}
	if p.SuccessThreshold > 1 && !strings.HasSuffix(at, ".readinessProbe") {
		ps.add(at+".successThreshold", "must be 1 for a liveness or startup probe")
	}
}

func (ps *problems) httpGet(at string, h *corev1.HTTPGetAction, ports []corev1.ContainerPort) {
	if h.Host != "" {
		ps.add(at+".host", "can't be honoured; the request goes to the pod itself")
	}
	if h.Scheme != "" && h.Scheme != corev1.URISchemeHTTP && h.Scheme != corev1.URISchemeHTTPS {
		ps.add(at+".scheme", "%q is unknown; use HTTP or HTTPS", h.Scheme)
	}
	ps.port(at+".port", h.Port, ports)
}

func (ps *problems) port(at string, port intstr.IntOrString, ports []corev1.ContainerPort) {
	for _, p := range ports {
		if samePort(port, p.Name, p.ContainerPort) {
			return
		}
	}
	ps.add(at, "%s is not declared in the container's ports; add it there (a containerPort is mapped to a free port)", port.String())
}

func samePort(want intstr.IntOrString, name string, number int32) bool {
	if want.Type == intstr.String {
		return want.StrVal != "" && (want.StrVal == name || want.StrVal == fmt.Sprint(number))
	}
	return want.IntVal == number
}

func count(set ...bool) int {
	n := 0
	for _, s := range set {
		if s {
			n++
		}
	}
	return n
}
