// Package predictionlog logs a server's predictions to an MLflow tracker: one run a batch, with
// their number and the model's confidence as metrics, and the images with their predictions as
// an artifact.
//
// It never slows a prediction and never fails one. Predictions that exceed the queue, or can't
// be written, are dropped and counted. Start reading at log.go (the queue), then batch.go (the
// runs).
package predictionlog
