// Package pod runs one pod as one process on this machine: it starts it, gives
// it ports, asks its probes, restarts it when it dies, and ends it gently.
//
// It takes a Kubernetes PodSpec with one container and reports a Status each time
// something changed. It never decides how many pods there are or where they go,
// keeps nothing on disk but the pod's log, and knows nothing of Deployments: an
// orchestrator, or a node of a cluster, is built on top of it. It runs on Linux and
// other Unix systems.
//
// Start reading at pod.go (the handle), then loop.go (a pod's life).
package pod
