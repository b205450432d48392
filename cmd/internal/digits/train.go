package digits

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas32"
)

// Train makes a model from the training set by stochastic gradient descent, and
// tests it on the test set. The same data, options and seed give the same weights
// on any number of cores. It stops between steps when ctx ends, with its error.
func Train(ctx context.Context, data Dataset, o TrainOptions) (*Model, error) {
	if err := errors.Join(o.complete(), data.check()); err != nil {
		return nil, fmt.Errorf("train: %w", err)
	}
	rng := rand.New(rand.NewPCG(o.Seed, 0x6469676974730a)) // a stream apart from the rendering's
	t := newTrainer(o)
	t.net.initialize(rng)
	if o.From != nil {
		t.net.copyFrom(o.From.net)
	}
	order := rng.Perm(data.Train.Len())
	steps := o.Epochs * ((len(order) + o.Batch - 1) / o.Batch)
	step := 0
	for epoch := 1; epoch <= o.Epochs; epoch++ {
		rng.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
		var loss float64
		right := 0
		for done := 0; done < len(order); {
			if err := ctx.Err(); err != nil {
				return nil, fmt.Errorf("train: stopped in epoch %d of %d: %w", epoch, o.Epochs, err)
			}
			batch := order[done:min(done+o.Batch, len(order))]
			l, r := t.step(data.Train, batch, anneal(o.LearningRate, step, steps))
			step++
			done += len(batch)
			loss += l
			right += r
			if math.IsNaN(loss) || math.IsInf(loss, 0) {
				return nil, fmt.Errorf("train: the loss is no longer a number in epoch %d: use a learning rate below %g", epoch, o.LearningRate)
			}
			if o.Progress != nil {
				o.Progress(epoch, o.Epochs, done, len(order), loss/float64(done), float64(right)/float64(done))
			}
		}
	}
	return t.model(data)
}

// anneal lowers the learning rate along half a cosine.
func anneal(rate float64, step, steps int) float64 {
	return rate * (0.01 + 0.99*0.5*(1+math.Cos(math.Pi*float64(step)/float64(steps))))
}

// trainer holds the state of a training. velocity has the shape of the network and holds the
// momentum of each weight.
type trainer struct {
	o        TrainOptions
	net      *net
	velocity *net
	a        *activations
	dh       blas32.General
}

func newTrainer(o TrainOptions) *trainer {
	return &trainer{o: o, net: newNet(o.Hidden), velocity: newNet(o.Hidden), a: newActivations(o.Batch, o.Hidden), dh: matrix(o.Batch, o.Hidden)}
}

// step trains on one batch. It returns the sum of the losses and the number of correct samples.
func (t *trainer) step(set Set, batch []int, rate float64) (loss float64, right int) {
	rows := len(batch)
	for i, sample := range batch {
		t.a.load(i, &set.Images[sample])
	}
	t.net.forward(t.a, rows)
	x, h, p, dh := top(t.a.x, rows), top(t.a.h, rows), top(t.a.p, rows), top(t.dh, rows)
	for i, sample := range batch {
		row := p.Data[i*Classes : (i+1)*Classes]
		label := int(set.Labels[sample])
		if argmax(row) == label {
			right++
		}
		loss -= math.Log(max(float64(row[label]), 1e-12))
		row[label]-- // probability less truth is the loss's slope at the last layer
	}
	blas32.Gemm(blas.NoTrans, blas.Trans, 1, p, t.net.w2, 0, dh)
	for i, v := range h.Data {
		if v <= 0 {
			dh.Data[i] = 0
		}
	}
	scale, momentum := float32(-rate/float64(rows)), float32(t.o.Momentum)
	blas32.Gemm(blas.Trans, blas.NoTrans, scale, x, dh, momentum, t.velocity.w1)
	blas32.Gemm(blas.Trans, blas.NoTrans, scale, h, p, momentum, t.velocity.w2)
	sumRows(scale, dh, momentum, t.velocity.b1)
	sumRows(scale, p, momentum, t.velocity.b2)
	velocity := t.velocity.weights()
	for i, w := range t.net.weights() {
		for j, v := range velocity[i] {
			w[j] += v
		}
	}
	return loss, right
}

// sumRows sets y to beta*y plus alpha times the sum of m's rows.
func sumRows(alpha float32, m blas32.General, beta float32, y []float32) {
	for j := range y {
		y[j] *= beta
	}
	for i := range m.Rows {
		for j, v := range m.Data[i*m.Stride : i*m.Stride+m.Cols] {
			y[j] += alpha * v
		}
	}
}

// model returns the trained network with its test result.
func (t *trainer) model(data Dataset) (*Model, error) {
	m := &Model{net: t.net, info: Info{
		Version: t.o.Version, Hidden: t.o.Hidden, Epochs: t.o.Epochs, Seed: t.o.Seed,
		Source: data.Source, TrainSize: data.Train.Len(), TestSize: data.Test.Len(),
	}}
	if m.info.Version == "" {
		m.info.Version = "digits-" + m.checksum()[:8]
	}
	e, err := Evaluate(m, data.Test)
	if err != nil {
		return nil, fmt.Errorf("train: %w", err)
	}
	m.info.Accuracy = e.Accuracy
	return m, nil
}
