// Package app puts the parts together: manifests, sensors, policies, journal,
// orchestrator and actuators become a running engine. It decides nothing. The
// daemon, the demo and `scanflow eval` all start here, so that what one of them
// does the others do. Start reading at system.go.
package app
