// Package samples is the form in which digits go from one step of a workflow to the
// next, and to the tracker: images with what is known of each. A file is a zip of
// the images in MNIST's own form (images-idx3-ubyte) and a table of the rest
// (samples.csv), so that any tool can read it.
//
// It knows of no model and no tracker. Start reading at sample.go.
package samples
