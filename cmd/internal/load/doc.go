// Package load sends an HTTP service the queries of MLPerf inference's Server
// scenario: arrivals are a Poisson process at a rate that phases change, and no
// late reply ever delays the next one. Latency is measured from the moment at
// which a query was due, so that a stall counts against every query it held up.
//
// It never retries, never adapts to what it measures, and knows nothing of what
// answers: it posts bodies and reads statuses.
//
// Start reading at phase.go (what to send), then generator.go (the sending) and
// result.go (what is reported).
package load
