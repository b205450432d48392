package classifier

import "math/rand/v2"

// Network is a model with its weights. It is immutable and safe for concurrent use, if
// each goroutine has its own Scratch.
type Network struct {
	layers  []layer
	weights [][]float32 // of each layer, filter after filter
	biases  [][]float32
}

// New returns a network with random weights. It calls pause, which may be nil, after each
// layer of each image of the normalization. An error of pause aborts it.
func New(m Model, seed uint64, pause func() error) (*Network, error) {
	n := &Network{layers: layersOf(Side, m.width(), Classes)}
	s := n.NewScratch()
	var images [][]float32
	for i := range normalising {
		Sample(seed + uint64(i)).planes(s.a)
		images = append(images, append([]float32(nil), s.a[:ImageBytes]...))
	}
	return n, n.draw(seed, images, s, pause)
}

// draw draws the weights layer by layer: the normalization of a layer depends on the
// outputs of the previous ones.
func (n *Network) draw(seed uint64, images [][]float32, s *Scratch, pause func() error) error {
	for i, l := range n.layers {
		r := rand.New(rand.NewPCG(seed, uint64(i)))
		weights := make([]float32, l.filter()*l.out)
		for j := range weights {
			weights[j] = float32(r.NormFloat64())
		}
		n.weights, n.biases = append(n.weights, weights), append(n.biases, make([]float32, l.out))
		if l.kind == dense {
			normaliseClasses(l, images, weights, n.biases[i])
			return nil
		}
		for j := range images {
			out := make([]float32, l.out*l.sideNext*l.sideNext)
			n.linear(i, images[j], out, s)
			images[j] = out
			if pause != nil {
				if err := pause(); err != nil {
					return err
				}
			}
		}
		if l.kind != pool {
			normalise(l, images, weights, n.biases[i])
		}
	}
	return nil
}
