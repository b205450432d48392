package digits

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestTheUnknownIsFarFromWhatAModelWasTrainedOn(t *testing.T) {
	d := renderer().Dataset(1500, 300, 5)
	m, err := TrainFirst(t.Context(), d, TrainOptions{Hidden: 128, Epochs: 5, Seed: 5})
	require.NoError(t, err)
	p, err := NewProfile(m, d.Train)
	require.NoError(t, err)
	usual := renderer().Set(500, 99)
	inverted := Set{Images: make([]Image, 500)}
	for i := range usual.Images {
		for j, v := range usual.Images[i] {
			inverted.Images[i][j] = 255 - v
		}
	}
	beyond := func(novelty []float64) (n int) {
		for _, v := range novelty {
			require.GreaterOrEqual(t, v, 0.0)
			if v > 1 {
				n++
			}
		}
		return n
	}
	require.Less(t, beyond(p.Novelty(usual.Images)), 50)
	require.Greater(t, beyond(p.Novelty(inverted.Images)), 350)
	require.Equal(t, p.Novelty(usual.Images)[300:], p.Novelty(usual.Images[300:]), "an image's novelty is its own")
	require.Empty(t, p.Novelty(nil))

	known, err := NewProfile(m, Join(usual, Set{Images: inverted.Images[:250], Labels: usual.Labels[:250]}))
	require.NoError(t, err)
	require.Less(t, beyond(known.Novelty(inverted.Images[250:])), 50, "what the reference has is not new")

	few, err := NewProfile(m, usual.Slice(0, 3))
	require.NoError(t, err)
	require.Len(t, few.Novelty(usual.Images[:5]), 5)
	_, err = NewProfile(m, Set{})
	require.ErrorContains(t, err, "the reference set has no images")
}

func TestPredictAllSaysWhatPredictSays(t *testing.T) {
	m, err := trained()
	require.NoError(t, err)
	s := renderer().Set(600, 4)
	for i, p := range m.PredictAll(s.Images) {
		one := m.Predict(&s.Images[i])
		require.Equal(t, one.Class, p.Class)
		require.InDeltaSlice(t, one.Probabilities[:], p.Probabilities[:], 1e-4)
		require.InDelta(t, one.Margin(), p.Margin(), 1e-4)
	}
	require.Empty(t, m.PredictAll(nil))
}

func TestMargin(t *testing.T) {
	for want, p := range map[float64]Prediction{
		0.5: {Class: 0, Confidence: 0.7, Probabilities: [Classes]float64{0.7, 0.1, 0.2}},
		0:   {Class: 3, Confidence: 0.4, Probabilities: [Classes]float64{3: 0.4, 8: 0.4, 1: 0.2}},
		1:   {Class: 9, Confidence: 1, Probabilities: [Classes]float64{9: 1}},
	} {
		require.InDelta(t, want, p.Margin(), 1e-9)
	}
}
