// Package mlperf judges a load test by the rules of MLPerf inference (mlcommons,
// inference_policies/inference_rules.adoc, sections "Scenarios" and "Load Generator", and
// appendix "Early Stopping Criterion"): the metric of each scenario, whether a latency
// bound held, and whether the run is valid.
//
// It sends nothing: package load does. A run that is valid here is no MLPerf result, which
// has a prescribed model, data set and accuracy too.
//
// Start reading at report.go; earlystopping.go has the statistics.
package mlperf
