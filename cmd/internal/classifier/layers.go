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
	// Classes is how many classes there are.
	Classes = 1000
)

// Model says which network.
type Model string

// Large costs about 0.3 GFLOP an image, Small less than a third of that.
const (
	Large Model = "large"
	Small Model = "small"
)

// Models are all models, the largest first.
var Models = []Model{Large, Small}

// ParseModel is the model of that name.
func ParseModel(name string) (Model, error) {
	for _, m := range Models {
		if string(m) == name {
			return m, nil
		}
	}
	return "", fmt.Errorf("there is no model %q: use %s or %s", name, Large, Small)
}

// width is the width multiplier of a model, as 1/width.
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
	pool                  // the mean of each channel
	dense                 // the classes
)

func (k kind) String() string {
	return [...]string{"conv", "depthwise", "pointwise", "pool", "dense"}[k]
}

// layer is a layer's shape: side and channels before and after.
type layer struct {
	kind           kind
	stride         int
	in, out        int // channels
	side, sideNext int
}

// blocks are the depthwise separable blocks of the paper's table 1: the stride of the
// depthwise convolution, and the channels after the pointwise one. The table gives the
// last one stride 2; its sizes say 1.
var blocks = []struct{ stride, out int }{
	{1, 64}, {2, 128}, {1, 128}, {2, 256}, {1, 256}, {2, 512},
	{1, 512}, {1, 512}, {1, 512}, {1, 512}, {1, 512}, {2, 1024}, {1, 1024},
}

// layersOf are the layers for images of a side, with 1/width of the paper's channels.
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

// multiplyAdds counts the multiplications that a layer does, each with its addition.
// Those with the zeros around an image are counted too, as is usual. Biases,
// activations, the mean and softmax are not.
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

// filter is how many weights an output channel has.
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

// FLOPs is how many operations an image costs: two for each multiplication with its
// addition.
func (n *Network) FLOPs() int64 {
	var sum int64
	for _, l := range n.layers {
		sum += 2 * l.multiplyAdds()
	}
	return sum
}

// Parameters is how many weights and biases there are.
func (n *Network) Parameters() int {
	sum := 0
	for i := range n.layers {
		sum += len(n.weights[i]) + len(n.biases[i])
	}
	return sum
}

// Table shows the layers, one a line.
func (n *Network) Table() string {
	var b strings.Builder
	for _, l := range n.layers {
		fmt.Fprintf(&b, "%-9s stride %d  %3d x %3d x %4d -> %3d x %3d x %4d  %6.2f MFLOP\n",
			l.kind, l.stride, l.side, l.side, l.in, l.sideNext, l.sideNext, l.out, 2*float64(l.multiplyAdds())/1e6)
	}
	return b.String()
}
