// Package corrupt spoils digits as the world spoils a camera's images: turned,
// sheared, blurred, noisy, striped, inverted, faded. The kinds are in the spirit of
// MNIST-C (Mu and Gilmer, 2019, arXiv:1906.02337); the parameters are our own.
//
// It never looks at a label, and never changes an image in place. What becomes of
// an image depends on the seed and on the image's index alone.
//
// Start reading at corruption.go (one image), then drift.go (a stream).
package corrupt
