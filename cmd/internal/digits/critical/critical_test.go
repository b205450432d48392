package critical

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/cmd/internal/digits"
	"github.com/scanflow-k8s/scanflow/cmd/internal/digits/corrupt"
)

func TestChoose(t *testing.T) {
	scores := []float64{0.5, 0.9, 0.1, 0.9, 0.7, 0.5}
	for name, c := range map[string]struct {
		threshold float64
		most      int
		want      []int
	}{
		"the highest first, the first of equals first": {0.2, 10, []int{1, 3, 4, 0, 5}},
		"above the threshold, not on it":               {0.5, 10, []int{1, 3, 4}},
		"no more than asked for":                       {0.2, 2, []int{1, 3}},
		"none above":                                   {0.9, 10, nil},
		"none wanted":                                  {0.2, 0, []int{}},
	} {
		t.Run(name, func(t *testing.T) { require.Equal(t, c.want, Choose(scores, c.threshold, c.most)) })
	}
	require.Empty(t, Choose(nil, 0, 10))
}

// spoilt has every sample of a set suffer the same.
func spoilt(s digits.Set, kind string, severity int) digits.Set {
	return corrupt.Mix{{Corruption: corrupt.Corruption{Kind: kind, Severity: severity}, Share: 1}}.ApplyAll(s, 5)
}

// Samples that a model gets wrong score higher, those too of which it is sure.
func TestScoresFindWhatAModelGetsWrong(t *testing.T) {
	r, err := digits.NewRenderer(digits.DefaultStyle())
	require.NoError(t, err)
	d := r.Dataset(3000, 500, 2)
	m, err := digits.TrainFirst(t.Context(), d, digits.TrainOptions{Hidden: 128, Epochs: 5, Seed: 2})
	require.NoError(t, err)
	s, err := NewScorer(m, d.Train.Slice(0, 2000))
	require.NoError(t, err)
	clean := r.Set(1000, 99)
	critical := func(kind string, severity int) int {
		set := clean
		if kind != "" {
			set = spoilt(clean, kind, severity)
		}
		scores := s.Score(set.Images)
		for _, v := range scores {
			require.True(t, v >= 0 && v <= 1)
		}
		return len(Choose(scores, 0.5, len(scores)))
	}
	none := critical("", 0)
	require.Less(t, none, 100)
	for kind, severity := range map[string]int{"rotation": 4, "stripes": 3, "inversion": 5, "brightness": 3} {
		n := critical(kind, severity)
		t.Logf("%s:%d: %d of 1,000 are critical, %d of clean ones", kind, severity, n, none)
		require.Greater(t, n, 3*none+200, kind)
	}
	sure, wrongAndSure := 0, 0
	inverted := spoilt(clean, "inversion", 5)
	scores := s.Score(inverted.Images)
	for i, p := range m.PredictAll(inverted.Images) {
		if p.Margin() > 0.9 && p.Class != int(inverted.Labels[i]) {
			sure++
			if scores[i] > 0.5 {
				wrongAndSure++
			}
		}
	}
	require.Greater(t, sure, 100)
	require.Greater(t, float64(wrongAndSure), 0.5*float64(sure), "how sure a model is does not tell")

	_, err = NewScorer(m, digits.Set{})
	require.ErrorContains(t, err, "the reference set has no images")
}
