package classifier

import (
	"fmt"
	"strings"
)

const (
	// Side is the width and height of an image, in pixels.
	Side = 224
	// Channels of an image: red, green, blue.
	Channels = 3
	// Classes is the number of classes.
	Classes = 1000
)

// Model is the name of a network.
type Model string

// Large needs about 0.3 GFLOP per image, Small less than a third of that.
const (
	Large Model = "large"
	Small Model = "small"
)

// Models are all models, sorted from the largest.
var Models = []Model{Large, Small}

// ParseModel returns the model of a name.
func ParseModel(name string) (Model, error) {
	for _, m := range Models {
		if string(m) == name {
			return m, nil
		}
	}
	return "", fmt.Errorf("there is no model %q: use %s or %s", name, Large, Small)
}

// width returns the reciprocal of the model's width multiplier.
func (m Model) width() int {
	if m == Large {
		return 2
	}
	return 4
}

type kind int

const (
	full      kind = iota // 3x3 over all channels
	depthwise             // 3x3 over each channel
	pointwise             // 1x1 over all channels
	pool                  // mean of each channel
	dense                 // scores of the classes
)

func (k kind) String() string {
	return [...]string{"conv", "depthwise", "pointwise", "pool", "dense"}[k]
}

// layer is the shape of a layer: sides and channels of its input and output.
type layer struct {
	kind           kind
	stride         int
	in, out        int // channels
	side, sideNext int
}

// blocks are the depthwise separable blocks of the paper's table 1: the stride of the
// depthwise convolution and the output channels of the pointwise one. The table lists
// stride 2 for the last one, but its sizes imply 1.
var blocks = []struct{ stride, out int }{
	{1, 64}, {2, 128}, {1, 128}, {2, 256}, {1, 256}, {2, 512},
	{1, 512}, {1, 512}, {1, 512}, {1, 512}, {1, 512}, {2, 1024}, {1, 1024},
}

// layersOf returns the layers for images of a side, with 1/width of the paper's channels.
func layersOf(side, width, classes int) []layer {
	half := func(side, stride int) int { return (side + stride - 1) / stride }
	at, channels := half(side, 2), 32/width
	layers := []layer{{full, 2, Channels, channels, side, at}}
	for _, b := range blocks {
		next, out := half(at, b.stride), b.out/width
		layers = append(layers,
			layer{depthwise, b.stride, channels, channels, at, next},
			layer{pointwise, 1, channels, out, next, next})
		at, channels = next, out
	}
	return append(layers, layer{pool, 1, channels, channels, at, 1}, layer{dense, 1, channels, classes, 1, 1})
}

// multiplyAdds counts the multiply-add operations of a layer. As usual, it includes those
// with padding and excludes biases, activations, the mean and softmax.
func (l layer) multiplyAdds() int64 {
	outputs := int64(l.out) * int64(l.sideNext) * int64(l.sideNext)
	switch l.kind {
	case full:
		return outputs * 9 * int64(l.in)
	case depthwise:
		return outputs * 9
	case pointwise, dense:
		return outputs * int64(l.in)
	}
	return 0
}

// filter returns the number of weights of an output channel.
func (l layer) filter() int {
	switch l.kind {
	case full:
		return 9 * l.in
	case depthwise:
		return 9
	case pointwise, dense:
		return l.in
	}
	return 0
}

// FLOPs returns the operations per image: two for each multiply-add.
func (n *Network) FLOPs() int64 {
	var sum int64
	for _, l := range n.layers {
		sum += 2 * l.multiplyAdds()
	}
	return sum
}

// Parameters returns the number of weights and biases.
func (n *Network) Parameters() int {
	sum := 0
	for i := range n.layers {
		sum += len(n.weights[i]) + len(n.biases[i])
	}
	return sum
}

// Table formats the layers, one per line.
func (n *Network) Table() string {
	var b strings.Builder
	for _, l := range n.layers {
		fmt.Fprintf(&b, "%-9s stride %d  %3d x %3d x %4d -> %3d x %3d x %4d  %6.2f MFLOP\n",
			l.kind, l.stride, l.side, l.side, l.in, l.sideNext, l.sideNext, l.out, 2*float64(l.multiplyAdds())/1e6)
	}
	return b.String()
}
