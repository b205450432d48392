// Package digits is the demo's model, a classifier of handwritten digits. It renders digits from
// the Go fonts or reads MNIST's IDX files, trains and tests a small network, and stores it in
// one file.
//
// It knows nothing of agents, policies, or its caller. The same seed gives the same digits and
// the same weights, on any number of cores. The sub-packages: server answers predictions,
// predictionlog logs them, corrupt simulates drift, critical finds the images to retrain on,
// registry stores models, samples has the files that pass between steps, and steps has the
// steps of workflows.
//
// Start reading at dataset.go (what a sample is), then train.go; retrain.go
// trains a model further, source.go divides the digits by purpose.
package digits
