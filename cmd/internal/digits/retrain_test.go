package digits

import (
	"math"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestWarp(t *testing.T) {
	var img Image
	img[10*Side+4], img[11*Side+4] = 200, 100
	same := img.Warp(func(x, y float64) (float64, float64) { return x, y })
	require.Equal(t, img, same)
	moved := img.Warp(func(x, y float64) (float64, float64) { return x - 3, y - 1 })
	require.Equal(t, byte(200), moved[11*Side+7])
	half := img.Warp(func(x, y float64) (float64, float64) { return x, y + 0.5 })
	require.Equal(t, byte(150), half[10*Side+4])
	require.Equal(t, byte(100), half[9*Side+4])
	var edge Image
	for i := range edge {
		edge[i] = 255
	}
	require.Equal(t, edge, edge.Warp(func(x, y float64) (float64, float64) { return 3 * x, 3 * y }), "what is outside is as the edge")
}

func TestVariedCopiesAreMovedALittle(t *testing.T) {
	s := renderer().Set(40, 3)
	out := s.Vary(3, 9)
	require.Equal(t, s.Images, out.Images[:40], "the first copy is the sample")
	require.Equal(t, Join(s, s, s).Labels, out.Labels)
	require.Equal(t, out, s.Vary(3, 9))
	require.NotEqual(t, out, s.Vary(3, 10))
	for i := range 40 {
		a, b := out.Images[40+i], out.Images[80+i]
		require.NotEqual(t, a, b)
		require.Less(t, far(&s.Images[i], &a), 4.5, "the ink's middle is where it was, nearly")
	}
	require.Zero(t, s.Vary(0, 1).Len())
}

// far returns the distance between the centres of two images' ink.
func far(a, b *Image) float64 {
	ax, ay := inkMiddle(a)
	bx, by := inkMiddle(b)
	return math.Hypot(ax-bx, ay-by)
}

func inkMiddle(img *Image) (x, y float64) {
	var ink float64
	for i, v := range img {
		ink += float64(v)
		x += float64(v) * float64(i%Side)
		y += float64(v) * float64(i/Side)
	}
	return x / ink, y / ink
}

// slanted returns a set as seen by a tilted camera.
func slanted(s Set) Set {
	out := Set{Labels: s.Labels}
	for i := range s.Images {
		out.Images = append(out.Images, s.Images[i].Warp(func(x, y float64) (float64, float64) { return 0.8*x + 0.6*y, 0.8*y - 0.6*x }))
	}
	return out
}

func TestRetrainingLearnsWhatWasPickedAndForgetsNothing(t *testing.T) {
	d := renderer().Dataset(1500, 500, 4)
	first, err := TrainFirst(t.Context(), d, TrainOptions{Hidden: 48, Seed: 4})
	require.NoError(t, err)
	require.Equal(t, 1500, first.Info().TrainSize)
	stream := slanted(renderer().Set(1300, 77))
	picked, held := stream.Slice(0, 300), stream.Slice(300, 1300)
	before, err := Evaluate(first, held)
	require.NoError(t, err)

	m, err := Retrain(t.Context(), d, picked, TrainOptions{From: first, Seed: 5})
	require.NoError(t, err)
	after, err := Evaluate(m, held)
	require.NoError(t, err)
	t.Logf("accuracy on slanted digits %.3f -> %.3f, on others %.3f -> %.3f", before.Accuracy, after.Accuracy, first.Info().Accuracy, m.Info().Accuracy)
	require.Greater(t, after.Accuracy, before.Accuracy+0.15)
	require.Greater(t, m.Info().Accuracy, first.Info().Accuracy-0.02)
	require.Equal(t, 1800, m.Info().TrainSize)
	require.Equal(t, 48, m.Info().Hidden)
	require.NotEqual(t, first.Info().Version, m.Info().Version)

	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	again, err := Retrain(t.Context(), d, picked, TrainOptions{From: first, Seed: 5})
	require.NoError(t, err)
	require.Equal(t, m.checksum(), again.checksum(), "the same seed gives the same weights, on any number of cores")
}

func TestRetrainRefuses(t *testing.T) {
	good := renderer().Dataset(50, 10, 2)
	m, err := trained()
	require.NoError(t, err)
	_, err = Retrain(t.Context(), good, Set{}, TrainOptions{})
	require.ErrorContains(t, err, "no model to begin with")
	_, err = Retrain(t.Context(), Dataset{}, Set{}, TrainOptions{From: m})
	require.ErrorContains(t, err, "the training set has no images")
	_, err = Retrain(t.Context(), good, Set{Images: make([]Image, 1), Labels: []byte{12}}, TrainOptions{From: m})
	require.ErrorContains(t, err, "the picked set's label 0 is 12")
	_, err = Retrain(t.Context(), good, Set{}, TrainOptions{From: m, Hidden: 64})
	require.ErrorContains(t, err, "hidden units: 64, but the model to begin with has 32")
	_, err = TrainFirst(t.Context(), Dataset{}, TrainOptions{})
	require.ErrorContains(t, err, "the training set has no images")
}
