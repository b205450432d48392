package testcluster

import (
	"fmt"
	"path/filepath"

	"github.com/scanflow-k8s/scanflow/cmd/cluster/freeport"
)

// ports are the programs' ports on 127.0.0.1.
type ports struct{ etcd, etcdPeer, apiserver, controllerManager, scheduler int }

// holdPorts reserves the ports until the cluster stops, also while a program is down.
func (c *Cluster) holdPorts() error {
	p := &c.ports
	for _, at := range []*int{&p.etcd, &p.etcdPeer, &p.apiserver, &p.controllerManager, &p.scheduler} {
		port, release, err := freeport.Hold()
		if err != nil {
			return err
		}
		*at, c.releases = port, append(c.releases, release)
	}
	return nil
}

func (c *Cluster) path(name string) string { return filepath.Join(c.dir, name) }

func (c *Cluster) etcdFlags() []string {
	client, peer := fmt.Sprintf("http://127.0.0.1:%d", c.ports.etcd), fmt.Sprintf("http://127.0.0.1:%d", c.ports.etcdPeer)
	return []string{
		"--data-dir=" + c.path("etcd"), "--listen-client-urls=" + client, "--advertise-client-urls=" + client,
		"--listen-peer-urls=" + peer, "--initial-advertise-peer-urls=" + peer, "--initial-cluster=default=" + peer,
		"--unsafe-no-fsync", "--log-level=warn",
	}
}

func (c *Cluster) apiserverFlags() []string {
	return []string{
		fmt.Sprintf("--etcd-servers=http://127.0.0.1:%d", c.ports.etcd),
		"--bind-address=127.0.0.1", "--advertise-address=127.0.0.1", fmt.Sprintf("--secure-port=%d", c.ports.apiserver),
		"--tls-cert-file=" + c.pki.serverCert, "--tls-private-key-file=" + c.pki.serverKey, "--cert-dir=" + c.path("apiserver"),
		"--endpoint-reconciler-type=none", "--service-cluster-ip-range=10.96.0.0/16",
		"--service-account-issuer=https://kubernetes.default.svc", "--service-account-key-file=" + c.pki.accountKey,
		"--service-account-signing-key-file=" + c.pki.accountKey, "--token-auth-file=" + c.pki.tokens,
		"--authorization-mode=RBAC", "--allow-privileged=true",
	}
}

func (c *Cluster) controllerManagerFlags() []string {
	return append(c.controllerFlags(c.ports.controllerManager),
		"--kube-api-qps=500", "--kube-api-burst=1000", "--flex-volume-plugin-dir="+c.path("flex"),
		"--service-account-private-key-file="+c.pki.accountKey, "--root-ca-file="+c.pki.caCert,
		"--concurrent-deployment-syncs=20", "--concurrent-replicaset-syncs=20", "--cert-dir="+c.path("controller-manager"))
}

func (c *Cluster) schedulerFlags() []string {
	return append(c.controllerFlags(c.ports.scheduler), "--kube-api-qps=500", "--kube-api-burst=1000", "--cert-dir="+c.path("scheduler"))
}

func (c *Cluster) controllerFlags(port int) []string {
	admin := c.Kubeconfig()
	return []string{
		"--kubeconfig=" + admin, "--authentication-kubeconfig=" + admin, "--authorization-kubeconfig=" + admin,
		"--bind-address=127.0.0.1", fmt.Sprintf("--secure-port=%d", port), "--leader-elect=false", "--authentication-skip-lookup=true",
	}
}
