package pod

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// probeCheck returns the function that performs a probe once; nil is success.
func (p *Pod) probeCheck(h *corev1.ProbeHandler) func(context.Context) error {
	switch {
	case h.HTTPGet != nil:
		return p.httpGetCheck(h.HTTPGet)
	case h.TCPSocket != nil:
		return func(ctx context.Context) error {
			conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", p.address(h.TCPSocket.Port))
			if err != nil {
				return err
			}
			return conn.Close()
		}
	}
	return p.execCheck(h.Exec)
}

// httpGetCheck succeeds on any status from 200 to 399, as the kubelet's does. It keeps no
// connection open, so that the server's idle connections are those of its clients only.
func (p *Pod) httpGetCheck(h *corev1.HTTPGetAction) func(context.Context) error {
	client := &http.Client{
		Transport: &http.Transport{
			DisableKeepAlives: true,
			// The kubelet doesn't verify the certificate either: the probe dials an IP.
			TLSClientConfig: &tls.Config{InsecureSkipVerify: true},
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return func(ctx context.Context) error {
		u := url.URL{Scheme: "http", Host: p.address(h.Port)}
		if h.Scheme == corev1.URISchemeHTTPS {
			u.Scheme = "https"
		}
		path := h.Path
		if !strings.HasPrefix(path, "/") {
			path = "/" + path
		}
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String()+path, nil)
		if err != nil {
			return err
		}
		req.Header.Set("User-Agent", "scanflow-probe")
		for _, header := range h.HTTPHeaders {
			if strings.EqualFold(header.Name, "Host") {
				req.Host = header.Value
				continue
			}
			req.Header.Set(header.Name, header.Value)
		}
		resp, err := client.Do(req)
		if err != nil {
			return err
		}
		_ = resp.Body.Close()
		if resp.StatusCode < 200 || resp.StatusCode >= 400 {
			return fmt.Errorf("%s answered %s", h.Path, resp.Status)
		}
		return nil
	}
}

// execCheck runs a command with the environment and the cores of the pod's process.
func (p *Pod) execCheck(h *corev1.ExecAction) func(context.Context) error {
	return func(ctx context.Context) error {
		vars, err := p.cfg.environment(p.Status().Ports)
		if err != nil {
			return err
		}
		word := h.Command[0]
		if word == "scanflow" && p.cfg.Self != "" {
			word = p.cfg.Self
		}
		cmd := exec.CommandContext(ctx, word, h.Command[1:]...)
		cmd.Env, cmd.Dir = p.processEnv(vars), p.cfg.Spec.Containers[0].WorkingDir
		cmd.SysProcAttr = groupLeader(p.cfg.KillWithParent)
		cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
		cmd.WaitDelay = time.Second
		err = onCores(p.cfg.Cores, cmd.Start)
		if err == nil {
			err = cmd.Wait()
		}
		if err != nil {
			return fmt.Errorf("%s: %w", h.Command[0], err)
		}
		return nil
	}
}

// address returns the host:port at which a declared port of the pod is reachable.
func (p *Pod) address(port intstr.IntOrString) string {
	for _, have := range p.Status().Ports {
		if samePort(port, have.Name, have.Container) {
			return net.JoinHostPort(p.cfg.IP, strconv.Itoa(have.Host))
		}
	}
	return net.JoinHostPort(p.cfg.IP, port.String()) // Check rejects undeclared ports
}
