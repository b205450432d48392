// Package kubernetes carries the primitives out on a Kubernetes cluster, and shows
// the cluster's workloads to fleets, sensors and triggers.
//
// View is what is known: informers keep a few hundred bytes of each object, one
// informer a kind and namespace for all agents together, so that nothing polls and
// no request is made for a target. The actuators plan on it.
//
// The View never writes, never looks outside the namespace that it was given, and
// never passes for up to date what it could not hear of for a while. Start reading
// at view.go; informer.go is how the cluster is followed, slim.go and pods.go what
// is kept of it, watch.go how a change becomes a trigger. The verbs have a file
// each.
package kubernetes
