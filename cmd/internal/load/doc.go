// Package load generates load on an HTTP service in the scenarios of MLPerf inference. In
// the Server scenario, arrivals are a Poisson process with a rate that changes by phase, or
// those of a trace, and a late reply never delays the next query. Latency is measured from
// the time at which a query was due, so a stall counts for every query that it delays.
// Memory does not depend on the number of queries.
//
// It never retries, never adapts to its measurements, and does not interpret replies: it
// posts bodies and reads statuses. Package mlperf checks whether a run is valid.
//
// Start reading at options.go and phase.go (the load), then generator.go and streams.go
// (sending) and result.go (the report).
package load
