// Package testcluster boots a real Kubernetes control plane for tests: etcd,
// kube-apiserver with RBAC, kube-controller-manager and kube-scheduler, on loopback
// ports of their own, from the module in testdata/controlplane. It serves tests and
// `make cluster`, and is not part of the product: etcd doesn't sync to disk, and all
// credentials are in one folder. It may import package apiclient of the engine, and no
// agents, sensors or actuators.
//
// Start reading at cluster.go. build.go builds the binary, process.go and flags.go start
// its programs, objects.go has the helpers of tests, shared.go shares a cluster between
// the tests of a package, processnodes.go and kwok.go add nodes.
package testcluster
