// Package predictionlog keeps what a server has predicted in an MLflow tracker: one
// run a batch, with how many there are and how sure the model was as metrics, and the
// images with what was said of them as an artifact.
//
// It never slows a prediction and never fails one. What it can't keep up with, or
// can't get rid of, it drops and counts. Start reading at log.go (who may write when),
// then batch.go (what is written).
package predictionlog
