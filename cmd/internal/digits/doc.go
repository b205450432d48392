// Package digits is the demo's model: a classifier of handwritten-like digits,
// really trained and really tested. It renders its own digits from the Go fonts
// or reads MNIST's IDX files, trains a small network, and keeps it in one file.
//
// It knows nothing of agents, of policies, or of who runs it. The same seed gives the
// same digits and the same weights, on however many cores. What is around a model is
// in sub-packages: server answers predictions, predictionlog keeps them, corrupt has
// digits drift, critical finds those that matter, registry keeps models, samples is the
// files that go from step to step, and steps are the steps of workflows.
//
// Start reading at dataset.go (what a sample is), then train.go; retrain.go
// trains a model further, source.go divides the digits by purpose.
package digits
