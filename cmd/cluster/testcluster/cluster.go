package testcluster

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/scanflow-k8s/scanflow/engine/kubernetes/apiclient"
)

// bootTimeout bounds a boot without the build; it takes 3 to 4 s on 2 idle cores.
const bootTimeout = 2 * time.Minute

// Cluster is a running control plane.
type Cluster struct {
	dir    string
	binary string
	ports  ports
	pki    *pki
	client *apiclient.Client

	releases []func() // release the ports

	kwokMu sync.Mutex // serializes starting kwok

	mu        sync.Mutex
	processes map[string]*process // by program
	counter   int
}

// Start boots a cluster with its files in dir. It runs until Stop, or until this process
// ends.
func Start(ctx context.Context, dir string) (*Cluster, error) {
	binary, err := Binary(ctx)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, bootTimeout)
	defer cancel()
	c := &Cluster{dir: dir, binary: binary, processes: map[string]*process{}}
	if err := c.boot(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("boot a test cluster: %w", err), c.Stop())
	}
	return c, nil
}

func (c *Cluster) boot(ctx context.Context) error {
	var err error
	if err = os.MkdirAll(c.dir, 0o700); err != nil {
		return err
	}
	if err = c.holdPorts(); err != nil {
		return err
	}
	if c.pki, err = newPKI(c.dir); err != nil {
		return err
	}
	if err := c.writeKubeconfig(c.Kubeconfig(), c.pki.adminToken, "default"); err != nil {
		return err
	}
	if err := c.start("etcd", c.etcdFlags()...); err != nil {
		return err
	}
	if err := c.start("kube-apiserver", c.apiserverFlags()...); err != nil {
		return err
	}
	if c.client, err = apiclient.New(apiclient.Options{Kubeconfig: c.Kubeconfig(), Concurrency: 64}); err != nil {
		return err
	}
	if err := c.ready(ctx); err != nil {
		return err
	}
	for program, flags := range map[string][]string{"kube-controller-manager": c.controllerManagerFlags(), "kube-scheduler": c.schedulerFlags()} {
		if err := c.start(program, flags...); err != nil {
			return err
		}
	}
	return c.waitFor(ctx, "the default service account is there", func(ctx context.Context) error {
		_, err := c.client.Dynamic.Resource(serviceAccounts).Namespace("default").Get(ctx, "default", getOptions)
		return err
	})
}

// Stop kills every program of the cluster, and waits for it.
func (c *Cluster) Stop() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	var errs []error
	for _, program := range []string{"kwok", "kube-scheduler", "kube-controller-manager", "kube-apiserver", "etcd"} {
		if p := c.processes[program]; p != nil {
			errs = append(errs, p.kill())
			delete(c.processes, program)
		}
	}
	for _, release := range c.releases {
		release()
	}
	c.releases = nil
	return errors.Join(errs...)
}

// Dir returns the folder of the cluster's files and logs.
func (c *Cluster) Dir() string { return c.dir }

// Kubeconfig returns the path of the admin's kubeconfig.
func (c *Cluster) Kubeconfig() string { return filepath.Join(c.dir, "admin.kubeconfig") }

// URL returns the URL of the API server.
func (c *Cluster) URL() string { return fmt.Sprintf("https://127.0.0.1:%d", c.ports.apiserver) }

// Client returns the admin's client.
func (c *Cluster) Client() *apiclient.Client { return c.client }

// ready waits until the API server is ready.
func (c *Cluster) ready(ctx context.Context) error {
	return c.waitFor(ctx, "the API server is ready", func(ctx context.Context) error { return c.client.Ready(ctx) })
}

// uniqueName returns a name that no other call has returned.
func (c *Cluster) uniqueName(prefix string) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.counter++
	return fmt.Sprintf("%s-%d", prefix, c.counter)
}

// waitFor polls until check succeeds. If ctx ends first, the error wraps the last one.
func (c *Cluster) waitFor(ctx context.Context, what string, check func(context.Context) error) error {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		err := check(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait until %s: %w; last: %w; the logs are in %s", what, ctx.Err(), err, c.dir)
		case <-tick.C:
		}
	}
}
