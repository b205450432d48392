// Package mlperf evaluates a load test by the rules of MLPerf inference (mlcommons,
// inference_policies/inference_rules.adoc, sections "Scenarios" and "Load Generator", and
// appendix "Early Stopping Criterion"): the metric of each scenario, whether a latency
// bound was met, and whether the run is valid.
//
// It sends no queries; package load does. A valid run is not an MLPerf result, which also
// requires a given model, data set and accuracy.
//
// Start reading at report.go; earlystopping.go has the statistics.
package mlperf
