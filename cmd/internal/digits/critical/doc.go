// Package critical finds the images that a model should be retrained on: those that
// it can't tell apart, and those that are like nothing it was trained on.
//
// It looks at no label, and trains nothing. Start reading at score.go.
package critical
