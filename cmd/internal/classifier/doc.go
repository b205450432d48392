// Package classifier is a convolutional network for images whose arithmetic is real:
// the sample workload of the studies on quality of service. It has the layers of
// MobileNetV1 (Howard et al., "MobileNets: Efficient Convolutional Neural Networks for
// Mobile Vision Applications", arXiv 1704.04861, table 1), thinned by a width
// multiplier: Large has a half of the channels, Small, its backup, a quarter.
//
// The weights are drawn from a seed, and batch normalisation over a few images is folded
// into them (normalise.go). They
// are never trained: what the network says of an image means nothing, but costs what
// it would cost if it did, and is the same each time.
//
// The package never starts a goroutine, reads no clock and keeps no share of the CPU:
// its caller is given the chance to wait after each layer. Subpackage share holds a
// program to its share, server answers over HTTP, offline works a batch.
//
// Start reading at Model in layers.go, then network.go (the weights), forward.go (one
// image) and conv.go (the kernels).
package classifier
