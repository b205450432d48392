package digits

import (
	"context"
	"errors"
	"fmt"
)

// How often each sample is learnt from, moved a little each time but the first (Vary):
// those that a model was found to be unsure of, far more often than the rest.
const (
	baseCopies   = 3
	pickedCopies = 12
)

const (
	firstHidden   = 256 // units of the hidden layer
	firstEpochs   = 10
	retrainEpochs = 5 // from weights that know most of it already
)

// TrainFirst makes a first model for use: wider than Train's by default, and trained
// on moved copies of its samples. Zero options take its defaults.
func TrainFirst(ctx context.Context, data Dataset, o TrainOptions) (*Model, error) {
	if err := data.check(); err != nil {
		return nil, fmt.Errorf("train: %w", err)
	}
	defaultTo(&o.Hidden, firstHidden)
	defaultTo(&o.Epochs, firstEpochs)
	size := data.Train.Len()
	data.Train = data.Train.Vary(baseCopies, o.Seed)
	m, err := Train(ctx, data, o)
	if err != nil {
		return nil, err
	}
	m.info.TrainSize = size
	return m, nil
}

// Retrain makes a model that also knows what was picked, from the weights of o.From
// and on all that it was trained on, so that it forgets nothing (rehearsal; Robins,
// 1995).
func Retrain(ctx context.Context, data Dataset, picked Set, o TrainOptions) (*Model, error) {
	if err := data.check(); err != nil {
		return nil, fmt.Errorf("retrain: %w", err)
	}
	if o.From == nil {
		return nil, errors.New("retrain: no model to begin with")
	}
	defaultTo(&o.Epochs, retrainEpochs)
	size := data.Train.Len() + picked.Len()
	if picked.Len() > 0 {
		if err := picked.check("picked"); err != nil {
			return nil, fmt.Errorf("retrain: %w", err)
		}
	}
	data.Train = Join(data.Train.Vary(baseCopies, o.Seed), picked.Vary(pickedCopies, o.Seed))
	m, err := Train(ctx, data, o)
	if err != nil {
		return nil, err
	}
	m.info.TrainSize = size
	return m, nil
}
