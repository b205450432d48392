package digits

import (
	"context"
	"errors"
	"fmt"
)

// The number of copies (Vary) of each sample in a training: far more of the picked samples than
// of the others.
const (
	baseCopies   = 3
	pickedCopies = 12
)

const (
	firstHidden   = 256 // units of the hidden layer
	firstEpochs   = 10
	retrainEpochs = 5 // from weights that know most of it already
)

// TrainFirst trains a first model for service: wider than Train's by default, and on varied
// copies of its samples. Zero options take its defaults.
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

// Retrain trains a model on the picked samples too, from the weights of o.From. It also trains
// on the earlier samples, so that they are not forgotten (rehearsal; Robins, 1995).
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
