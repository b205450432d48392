// Package gateway is a stand-in for a Gateway API implementation on a developer's
// cluster: it listens on 127.0.0.1 at the port that an HTTPRoute gives its parent, and
// sends requests by the route's weights to the ready pods of its Services. What listens,
// chooses and counts is package router, as for the local orchestrator.
//
// It finds pods by the Services' selectors, for Kubernetes takes no loopback addresses in
// EndpointSlices. It reports on each route as an implementation does (status.parents,
// with the conditions Accepted and ResolvedRefs), once requests go by it. A route that
// asks for more than weights over Services is not accepted, and the condition names the
// field. It needs no Gateway object and looks at none, and changes nothing but statuses.
//
// Start reading at gateway.go; route.go reads a route, pods.go the pods, status.go writes
// what became of a route.
package gateway
