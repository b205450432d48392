package digits

import (
	"errors"
	"fmt"
)

// Progress receives the progress of a training: the current epoch (from 1) and their number, the
// samples done in it, and the mean loss and the accuracy on those.
type Progress func(epoch, epochs, done, total int, loss, accuracy float64)

// TrainOptions configures a training. Zero values take the defaults given here.
type TrainOptions struct {
	Hidden       int     // units of the hidden layer: 128
	Epochs       int     // passes over the training set: 10
	Batch        int     // samples a step: 128
	LearningRate float64 // at the first step, falling to almost nothing at the last: 0.1
	Momentum     float64 // 0.9
	Seed         uint64  // of the first weights and of the samples' order
	// From is a model whose weights are the initial ones, and its Hidden the size; nil draws them.
	From *Model
	// Version names the model; "": a name derived from its weights.
	Version  string
	Progress Progress // may be nil
}

func (o *TrainOptions) complete() error {
	if o.From != nil {
		defaultTo(&o.Hidden, o.From.net.hidden())
	}
	defaultTo(&o.Hidden, 128)
	defaultTo(&o.Epochs, 10)
	defaultTo(&o.Batch, 128)
	defaultTo(&o.LearningRate, 0.1)
	defaultTo(&o.Momentum, 0.9)
	var errs []error
	refuse := func(bad bool, format string, args ...any) {
		if bad {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	if o.From != nil {
		have := o.From.net.hidden()
		refuse(o.Hidden != have, "hidden units: %d, but the model to begin with has %d", o.Hidden, have)
	}
	refuse(o.Hidden < 1 || o.Hidden > maxHidden, "hidden units: %d is not between 1 and %d", o.Hidden, maxHidden)
	refuse(o.Epochs < 1, "epochs: %d is below 1", o.Epochs)
	refuse(o.Batch < 1 || o.Batch > maxBatch, "batch: %d is not between 1 and %d", o.Batch, maxBatch)
	refuse(!(o.LearningRate > 0), "learning rate: %g is not above 0", o.LearningRate)
	refuse(!(o.Momentum > 0 && o.Momentum < 1), "momentum: %g is not between 0 and 1", o.Momentum)
	refuse(len(o.Version) > maxVersion, "version: longer than %d bytes", maxVersion)
	return errors.Join(errs...)
}

// maxBatch bounds the memory of one step.
const maxBatch = 1 << 14

func defaultTo[T comparable](v *T, value T) {
	var zero T
	if *v == zero {
		*v = value
	}
}
