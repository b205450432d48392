// Package steps has the steps of the workflows of the digit workload: publish a
// first model, load what was predicted, detect what is critical, pick it, train on
// it, evaluate. Each step is one program of a workflow; what goes between them are
// files, and what they found is in an MLflow tracker, as any MLflow program's is.
//
// A step that is tried again does what is left of it: nothing is picked twice. It
// promotes nothing, serves nothing, and knows of no agent: who runs it, and what for,
// is not its business.
//
// Start reading at steps.go, then in the order of the workflows: predictions.go,
// detect.go, pick.go (detect); picked.go, train.go, evaluate.go (retrain).
package steps
