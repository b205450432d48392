// Package router is a reverse proxy on 127.0.0.1: its frontends are Services and
// HTTPRoutes, which choose a backend by weight and then the pod with the fewest requests
// in flight.
//
// It never discovers anything: its callers configure it (SetRoutes, SetPods), which are
// the local orchestrator and, in the test cluster, the stand-in gateway. A request is
// retried on another pod only if the connection to the first one failed; it is never
// sent twice. Listeners and counters survive every change of the configuration that
// doesn't remove them. The package imports Kubernetes' types and no other package of
// this module.
//
// Start reading at router.go; frontend.go serves one request, metrics.go has the metrics.
package router
