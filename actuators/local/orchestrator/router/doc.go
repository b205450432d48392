// Package router is the reverse proxy of this machine: ways in (Services, HTTPRoutes)
// that listen on 127.0.0.1, and pods that requests go to, the least busy first, by the
// weights of the route.
//
// It is told what there is (Set, Publish) and never looks for it: the local orchestrator
// tells it of the processes that it runs, package gateway of the pods of a cluster. A
// request that has reached no pod yet goes to another; one that has is never sent
// twice. It keeps listeners and counters through every change that leaves them be.
//
// Start reading at router.go; front.go is the way of one request, metrics.go what is
// counted.
package router
