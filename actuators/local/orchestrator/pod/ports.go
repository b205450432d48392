package pod

import (
	"context"
	"fmt"
	"net"
	"strconv"
	"sync"

	corev1 "k8s.io/api/core/v1"
)

// Ports hands out free ports of this machine, never one to two pods at once. A
// stranger may still take a port between its choice and its use: then the process
// dies, and its restart gets another. The zero value is ready.
type Ports struct {
	mu   sync.Mutex
	held map[int]bool
}

// pick returns a free port on ip: the wished one if it can still be had.
func (p *Ports) pick(ip string, wish int) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if wish != 0 && !p.held[wish] {
		if port, err := tryPort(ip, wish); err == nil {
			p.hold(port)
			return port, nil
		}
	}
	const attempts = 100
	for range attempts {
		port, err := tryPort(ip, 0)
		if err != nil {
			return 0, fmt.Errorf("find a free port on %s: %w", ip, err)
		}
		if !p.held[port] {
			p.hold(port)
			return port, nil
		}
	}
	return 0, fmt.Errorf("find a free port on %s: %d attempts gave only ports of other pods", ip, attempts)
}

func (p *Ports) hold(port int) {
	if p.held == nil {
		p.held = map[int]bool{}
	}
	p.held[port] = true
}

func (p *Ports) adopt(ports []Port) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, port := range ports {
		p.hold(port.Host)
	}
}

func (p *Ports) release(ports []Port) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, port := range ports {
		delete(p.held, port.Host)
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

// assign gives every containerPort its port. Those of the last run are kept where
// they are free, so that whoever knows the pod's address needn't learn another.
func (p *Ports) assign(ip string, want []corev1.ContainerPort, last []Port) ([]Port, error) {
	p.release(last)
	var out []Port
	for i, w := range want {
		wish := 0
		if i < len(last) {
			wish = last[i].Host
		}
		host, err := p.pick(ip, wish)
		if err != nil {
			p.release(out)
			return nil, err
		}
		out = append(out, Port{Name: w.Name, Container: w.ContainerPort, Host: host})
	}
	return out, nil
}

func unmapped(want []corev1.ContainerPort) []Port {
	var out []Port
	for _, w := range want {
		out = append(out, Port{Name: w.Name, Container: w.ContainerPort, Host: int(w.ContainerPort)})
	}
	return out
}
