// Package demo runs the scenarios of `scanflow demo`: it starts an embedded Prometheus, a
// platform (this machine or a cluster) and the agents, sends load, and reports the results. The
// agents are started by package app, like in the daemon. Nothing of the product imports it.
//
// Each scenario has a file of its name and further files with that prefix: autoscale, drift,
// badmodel, day, mlperf, reserve, interference, failover. Files with these prefixes are shared:
// debug (by drift, badmodel and day), study and testbed (by all but autoscale), platform, hpa.
//
// Start reading at scenarios.go, then autoscale.go; day.go has both layers at once.
package demo
