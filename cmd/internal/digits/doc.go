// Package digits is the demo's model: a classifier of handwritten-like digits,
// really trained and really tested. It renders its own digits from the Go fonts
// or reads MNIST's IDX files, trains a small network, and keeps it in one file.
//
// It knows nothing of agents, of policies, or of who runs it, and it serves
// nothing: the sub-package server does. The same seed gives the same digits and
// the same weights, on however many cores.
//
// Start reading at dataset.go (what a sample is), then train.go.
package digits
