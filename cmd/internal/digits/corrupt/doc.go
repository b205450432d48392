// Package corrupt corrupts digits like the images of a bad camera: rotated, sheared, blurred,
// noisy, striped, inverted, faded. The kinds are similar to MNIST-C's (Mu and Gilmer, 2019,
// arXiv:1906.02337); the parameters are our own.
//
// It never reads a label, and never changes an image in place. The result depends only on the
// image, its index and the seed.
//
// Start reading at corruption.go (one image), then drift.go (a stream).
package corrupt
