// Package pod runs one pod as one process on this machine: it starts the process,
// assigns ports, runs probes, restarts it after an exit, and terminates it gracefully.
//
// It takes a Kubernetes PodSpec with one container and reports a Status after every
// change. It never decides how many pods there are or where they run, stores nothing
// but the pod's log and exit status, and knows nothing of Deployments; the local
// orchestrator and the process node of the test cluster are built on top of it. It may
// import Kubernetes' types and package engine, and no other package of this module. It
// runs on Linux and other Unix systems.
//
// Start reading at pod.go (the API), then loop.go (the lifecycle).
package pod
