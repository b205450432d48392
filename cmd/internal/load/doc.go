// Package load sends an HTTP service the queries of MLPerf inference's scenarios. In the
// Server scenario arrivals are a Poisson process at a rate that phases change, or those of
// a trace, and no late reply ever delays the next one. Latency is measured from the moment
// at which a query was due, so that a stall counts against every query it held up. Memory
// does not depend on how many queries a run has.
//
// It never retries, never adapts to what it measures, and knows nothing of what
// answers: it posts bodies and reads statuses. Whether a run is valid by MLPerf's rules is
// for package mlperf to say.
//
// Start reading at options.go and phase.go (what to send), then generator.go and streams.go
// (the sending) and result.go (what is reported).
package load
