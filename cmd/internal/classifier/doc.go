// Package classifier is a convolutional network for images with real arithmetic, the
// sample workload of the studies on quality of service. It has the layers of
// MobileNetV1 (Howard et al., "MobileNets: Efficient Convolutional Neural Networks for
// Mobile Vision Applications", arXiv 1704.04861, table 1), thinned by a width
// multiplier: Large has a half of the channels, Small, its backup, a quarter.
//
// The weights are random, from a seed, with a batch normalization over a few images
// folded in (normalise.go). They are not trained: predictions are meaningless, but
// deterministic, and cost as much as those of a trained network.
//
// The package never starts a goroutine, reads no clock and does not limit its CPU usage:
// it calls a function of the caller after each layer, which may wait. Subpackage share
// limits CPU usage, server serves over HTTP, and offline processes a batch.
//
// Start reading at Model in layers.go, then network.go (the weights), forward.go (one
// image) and conv.go (the kernels).
package classifier
