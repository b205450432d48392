package pod

import (
	"context"
	"fmt"
	"net"
	"strconv"
	"sync"

	corev1 "k8s.io/api/core/v1"
)

// PortAllocator allocates free ports of this machine, each to one pod at a time. Another
// program may still bind a port between its allocation and its use: then the process
// exits, and its restart gets another port. The zero value is ready for use.
type PortAllocator struct {
	mu        sync.Mutex
	allocated map[int]bool
}

// pickPort reserves a free port on ip: the preferred one if it is free.
func (p *PortAllocator) pickPort(ip string, preferred int) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if preferred != 0 && !p.allocated[preferred] {
		if port, err := tryPort(ip, preferred); err == nil {
			p.reserve(port)
			return port, nil
		}
	}
	const attempts = 100
	for range attempts {
		port, err := tryPort(ip, 0)
		if err != nil {
			return 0, fmt.Errorf("find a free port on %s: %w", ip, err)
		}
		if !p.allocated[port] {
			p.reserve(port)
			return port, nil
		}
	}
	return 0, fmt.Errorf("find a free port on %s: %d attempts gave only ports of other pods", ip, attempts)
}

func (p *PortAllocator) reserve(port int) {
	if p.allocated == nil {
		p.allocated = map[int]bool{}
	}
	p.allocated[port] = true
}

func (p *PortAllocator) adopt(ports []Port) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, port := range ports {
		p.reserve(port.Host)
	}
}

func (p *PortAllocator) release(ports []Port) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, port := range ports {
		delete(p.allocated, port.Host)
	}
}

func tryPort(ip string, port int) (int, error) {
	l, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", net.JoinHostPort(ip, strconv.Itoa(port)))
	if err != nil {
		return 0, err
	}
	got := l.Addr().(*net.TCPAddr).Port
	return got, l.Close()
}

// assign allocates a port for every containerPort. The ports of the previous run are
// kept if they are free, so that the pod's address stays the same.
func (p *PortAllocator) assign(ip string, want []corev1.ContainerPort, last []Port) ([]Port, error) {
	p.release(last)
	var out []Port
	for i, w := range want {
		preferred := 0
		if i < len(last) {
			preferred = last[i].Host
		}
		host, err := p.pickPort(ip, preferred)
		if err != nil {
			p.release(out)
			return nil, err
		}
		out = append(out, Port{Name: w.Name, Container: w.ContainerPort, Host: host})
	}
	return out, nil
}

func containerPorts(want []corev1.ContainerPort) []Port {
	var out []Port
	for _, w := range want {
		out = append(out, Port{Name: w.Name, Container: w.ContainerPort, Host: int(w.ContainerPort)})
	}
	return out
}
