// Package testcluster boots a real Kubernetes control plane for tests: etcd,
// kube-apiserver with RBAC, kube-controller-manager and kube-scheduler, on loopback
// ports of their own, from the module in testdata/controlplane. It is for tests and
// for `make cluster`, never for production: etcd does not wait for the disk, and
// everybody's credentials lie in one folder.
//
// Start reading at cluster.go. build.go makes the one binary, process.go and
// flags.go start its programs, objects.go is how tests talk to it, shared.go gives a
// package's tests one cluster together, processnodes.go and kwok.go give it nodes.
package testcluster
