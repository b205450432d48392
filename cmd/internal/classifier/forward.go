package classifier

import "math"

// Prediction is the result of a network for an image.
type Prediction struct {
	Class       int
	Probability float32
}

// Scratch is the memory for classifying one image at a time.
type Scratch struct {
	a, b    []float32 // a layer's input and output
	columns []float32 // of the first convolution
	padded  []float32 // a channel with zeros around it
	classes []float32
}

// NewScratch allocates a Scratch for the network.
func (n *Network) NewScratch() *Scratch {
	most, pad, columns := 0, 0, 0
	for _, l := range n.layers {
		most = max(most, l.in*l.side*l.side, l.out*l.sideNext*l.sideNext)
		pad = max(pad, (l.side+2)*(l.side+2))
		if l.kind == full {
			columns = max(columns, l.filter()*l.sideNext*l.sideNext)
		}
	}
	return &Scratch{
		a: make([]float32, most), b: make([]float32, most), columns: make([]float32, columns),
		padded: make([]float32, pad), classes: make([]float32, n.layers[len(n.layers)-1].out),
	}
}

// Predict classifies an image. After each layer it calls pause, which may be nil; an error
// of pause aborts it. It uses one core and takes the same time for any image, because it
// skips no multiplications by zero.
func (n *Network) Predict(s *Scratch, img *Image, pause func() error) (Prediction, error) {
	img.planes(s.a)
	if err := n.forward(s, pause); err != nil {
		return Prediction{}, err
	}
	softmax(s.classes)
	best := 0
	for c, p := range s.classes {
		if p > s.classes[best] {
			best = c
		}
	}
	return Prediction{Class: best, Probability: s.classes[best]}, nil
}

// forward evaluates all layers on s.a and writes s.classes.
func (n *Network) forward(s *Scratch, pause func() error) error {
	in, out := s.a, s.b
	for i, l := range n.layers {
		if l.kind == dense {
			out = s.classes
		}
		n.linear(i, in, out, s)
		switch l.kind {
		case dense:
			for c := range out {
				out[c] += n.biases[i][c]
			}
		case full, depthwise, pointwise:
			relu6(out, n.biases[i], l.sideNext*l.sideNext)
		}
		in, out = out, in
		if pause != nil {
			if err := pause(); err != nil {
				return err
			}
		}
	}
	return nil
}

// linear evaluates a layer without biases and activation.
func (n *Network) linear(i int, in, out []float32, s *Scratch) {
	switch l, w := n.layers[i], n.weights[i]; l.kind {
	case full:
		columns(l, in, s.padded, s.columns)
		product(l.out, l.sideNext*l.sideNext, l.filter(), w, s.columns, out)
	case depthwise:
		depthwiseConv(l, in, w, s.padded, out)
	case pointwise, dense:
		product(l.out, l.side*l.side, l.in, w, in, out)
	case pool:
		means(l, in, out)
	}
}

// relu6 adds a channel's bias to each of its pixels and clamps them to 0 and 6.
func relu6(x, biases []float32, pixels int) {
	for c, bias := range biases {
		channel := x[c*pixels : (c+1)*pixels]
		for i, v := range channel {
			channel[i] = min(max(v+bias, 0), 6)
		}
	}
}

func means(l layer, in, out []float32) {
	pixels := l.side * l.side
	for c := range l.in {
		var sum float32
		for _, v := range in[c*pixels : (c+1)*pixels] {
			sum += v
		}
		out[c] = sum / float32(pixels)
	}
}

// softmax converts scores to probabilities. It subtracts the largest score first, to avoid
// overflow.
func softmax(x []float32) {
	most := x[0]
	for _, v := range x {
		most = max(most, v)
	}
	var sum float64
	for i, v := range x {
		p := math.Exp(float64(v - most))
		x[i] = float32(p)
		sum += p
	}
	for i := range x {
		x[i] = float32(float64(x[i]) / sum)
	}
}
