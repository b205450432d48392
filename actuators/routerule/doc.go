// Package routerule chooses the rules of a route whose weights `traffic` sets, for every
// orchestrator alike. It never reads or writes a route. Start reading at choose.go.
package routerule
