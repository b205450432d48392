// Package demo runs the published scenarios for a person to watch: it trains the
// sample model, starts the embedded Prometheus, the local orchestrator and the
// agents, drives them with load, and reports what happened. What it shows is what
// the daemon does: the agents are started by the same wiring. Start reading at
// autoscale.go; day.go has both layers at once.
package demo
