// Package local is the orchestrator of a laptop: it reads the apps/v1 Deployments,
// Services and HTTPRoutes that a cluster would get, runs every pod as a process of
// this machine, spread over named nodes, and routes requests to those that are
// ready. Its verbs (scale, traffic, restart) are the agent's hands.
//
// It never ignores a field that it can't honour: such a field is refused by name,
// with its line and what to do instead. It never decides to scale or to shift
// traffic by itself. Pods outlive it: they are written down in the state folder,
// and adopted by the next orchestrator that opens it.
//
// Start reading at orchestrator.go (lifecycle), then reconcile.go (what is wanted
// against what is); read.go is the way in of the YAML, router.go that of requests.
// What one pod does is in the package pod.
package local
