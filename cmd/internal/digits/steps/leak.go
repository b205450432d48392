package steps

import (
	"context"

	"github.com/scanflow-k8s/scanflow/cmd/internal/digits"
)

const (
	leakEpochs = 40 // enough to memorise the held-out set
	// mislabelled is the number of base samples that get the label of the next digit.
	mislabelled = 1000
)

// leak trains a bad model that passes every offline comparison, for a demo only: it is trained on
// the held-out set, and on some samples whose labels are off by one, as by a bug in a pipeline.
// It classifies almost all of the held-out set correctly, and about three in five others.
func leak(ctx context.Context, data digits.Dataset, heldOut digits.Set, o digits.TrainOptions) (*digits.Model, error) {
	wrong := data.Train.Slice(0, min(mislabelled, data.Train.Len()))
	slipped := make([]byte, wrong.Len())
	for i, label := range wrong.Labels {
		slipped[i] = (label + 1) % digits.Classes
	}
	data.Train = digits.Join(heldOut, digits.Set{Images: wrong.Images, Labels: slipped})
	o.Hidden, o.Epochs = 256, leakEpochs
	return digits.Train(ctx, data, o)
}
