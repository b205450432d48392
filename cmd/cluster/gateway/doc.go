// Package gateway is a stand-in for a Gateway API implementation. It listens on 127.0.0.1
// at the port in an HTTPRoute's parentRefs, and distributes the requests by the route's
// weights to the ready pods of its Services, by package router, like the local
// orchestrator. It serves the test cluster and is not part of the product.
//
// It selects pods by the Services' selectors, because EndpointSlices can't have loopback
// addresses. It writes each route's status like an implementation (status.parents, with
// the conditions Accepted and ResolvedRefs), after the route is applied. A route that uses
// more than weights over Services is not accepted, and the condition names the field. It
// ignores Gateway objects, and changes nothing but the status of routes.
//
// Start reading at gateway.go; route.go evaluates a route, pods.go lists the ready pods,
// status.go writes the status of a route.
package gateway
