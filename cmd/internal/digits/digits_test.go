package digits

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"
)

// renderer is shared by the tests of the package: measuring the fonts is its only cost.
var renderer = sync.OnceValue(func() *Renderer {
	r, err := NewRenderer(DefaultStyle())
	if err != nil {
		panic(err)
	}
	return r
})

// trained is one model for the tests that need any.
var trained = sync.OnceValues(func() (*Model, error) {
	return Train(context.Background(), renderer().Dataset(1500, 300, 5), TrainOptions{Hidden: 32, Epochs: 3, Seed: 5})
})

func TestRenderDependsOnSeedAndIndexAlone(t *testing.T) {
	all := renderer().Set(600, 7)
	restore := runtime.GOMAXPROCS(1)
	alone := renderer().Set(300, 7)
	runtime.GOMAXPROCS(restore)
	require.Equal(t, all.Slice(0, 300), alone)
	require.NotEqual(t, all.Images[:20], renderer().Set(20, 8).Images)

	d := renderer().Dataset(400, 200, 7)
	require.Equal(t, all, Set{Images: append(d.Train.Images[:400:400], d.Test.Images...), Labels: append(d.Train.Labels[:400:400], d.Test.Labels...)})
}

func TestRenderedDigitsAreInkOnPaperAndVary(t *testing.T) {
	s := renderer().Set(2000, 3)
	seen := map[Image]bool{}
	var count [Classes]int
	for i := range s.Images {
		img := &s.Images[i]
		seen[*img] = true
		count[s.Labels[i]]++
		ink, edge := 0, 0
		for j, v := range img {
			if v > 128 {
				ink++
				if x, y := j%Side, j/Side; x == 0 || y == 0 || x == Side-1 || y == Side-1 {
					edge++
				}
			}
		}
		require.Truef(t, ink > 25 && ink < 350, "sample %d (a %d) has %d inked pixels\n%s", i, s.Labels[i], ink, strings.Join(ASCII(img), "\n"))
		require.LessOrEqualf(t, edge, 12, "sample %d (a %d) runs over the edge\n%s", i, s.Labels[i], strings.Join(ASCII(img), "\n"))
	}
	require.Len(t, seen, s.Len(), "two samples are the same")
	for class, n := range count {
		require.Greaterf(t, n, 140, "digit %d", class)
	}
}

func TestTrainedOnRenderedDigits(t *testing.T) {
	began := time.Now()
	d := renderer().Dataset(12000, 2000, 1)
	rendered := time.Since(began)
	last := 0
	began = time.Now()
	m, err := Train(t.Context(), d, TrainOptions{Seed: 1, Progress: func(epoch, epochs, done, total int, loss, accuracy float64) {
		at := (epoch-1)*total + done
		require.Greater(t, at, last)
		require.True(t, loss > 0 && accuracy >= 0 && accuracy <= 1)
		last = at
	}})
	require.NoError(t, err)
	t.Logf("rendered 14,000 digits in %s, trained on 12,000 in %s, test accuracy %.4f", rendered, time.Since(began), m.Info().Accuracy)
	require.Equal(t, 10*12000, last, "progress did not reach the end")
	require.GreaterOrEqual(t, m.Info().Accuracy, 0.97)
	require.Equal(t, 12000, m.Info().TrainSize)

	e, err := Evaluate(m, d.Test)
	require.NoError(t, err)
	require.Equal(t, m.Info().Accuracy, e.Accuracy)
	var oneByOne [Classes][Classes]int
	for i := range d.Test.Images {
		p := m.Predict(&d.Test.Images[i])
		oneByOne[d.Test.Labels[i]][p.Class]++
		var sum float64
		for _, v := range p.Probabilities {
			sum += v
		}
		require.InDelta(t, 1, sum, 1e-5)
		require.Equal(t, p.Probabilities[p.Class], p.Confidence)
	}
	require.Equal(t, e.Confusion, oneByOne, "one image at a time must be classified as in a batch")
	for class := range Classes {
		share, ok := e.Recall(class)
		require.True(t, ok)
		require.Greaterf(t, share, 0.9, "digit %d", class)
	}
}

func TestSameSeedSameWeightsOnAnyNumberOfCores(t *testing.T) {
	d := renderer().Dataset(700, 100, 2)
	train := func(procs int, seed uint64) *Model {
		defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(procs))
		m, err := Train(t.Context(), d, TrainOptions{Epochs: 2, Seed: seed})
		require.NoError(t, err)
		return m
	}
	one := train(1, 9)
	for _, procs := range []int{2, 3, 8} {
		require.Equalf(t, one.checksum(), train(procs, 9).checksum(), "on %d cores", procs)
	}
	require.Equal(t, "digits-"+one.checksum()[:8], one.Info().Version)
	require.NotEqual(t, one.checksum(), train(2, 10).checksum())
}

func TestTrainRefuses(t *testing.T) {
	good := renderer().Dataset(50, 10, 2)
	t.Run("every wrong option at once", func(t *testing.T) {
		_, err := Train(t.Context(), good, TrainOptions{Hidden: -1, Epochs: -2, Batch: 1 << 20, LearningRate: -1, Momentum: 1, Version: strings.Repeat("v", 200)})
		for _, part := range []string{"hidden units: -1", "epochs: -2", "batch: 1048576", "learning rate: -1", "momentum: 1", "version: longer"} {
			require.ErrorContains(t, err, part)
		}
	})
	t.Run("no samples, and labels that are no digits", func(t *testing.T) {
		_, err := Train(t.Context(), Dataset{Test: Set{Images: make([]Image, 1), Labels: []byte{77}}}, TrainOptions{})
		require.ErrorContains(t, err, "the training set has no images")
		require.ErrorContains(t, err, "label 0 is 77")
	})
	t.Run("a learning rate at which it diverges", func(t *testing.T) {
		_, err := Train(t.Context(), good, TrainOptions{LearningRate: 1e30, Epochs: 30})
		require.ErrorContains(t, err, "use a learning rate below")
	})
	t.Run("when told to stop", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		_, err := Train(ctx, good, TrainOptions{Epochs: 1000, Progress: func(epoch, _, _, _ int, _, _ float64) {
			if epoch == 3 {
				cancel()
			}
		}})
		require.ErrorIs(t, err, context.Canceled)
		require.ErrorContains(t, err, "in epoch 4 of 1000")
	})
}

func TestModelFile(t *testing.T) {
	m, err := trained()
	require.NoError(t, err)
	path := filepath.Join(t.TempDir(), "digits.model")
	require.NoError(t, m.Save(path))
	again, err := Load(path)
	require.NoError(t, err)
	require.Empty(t, cmp.Diff(m.Info(), again.Info()))
	require.Equal(t, m.net, again.net)
	left, err := os.ReadDir(filepath.Dir(path))
	require.NoError(t, err)
	require.Len(t, left, 1, "a temporary file was left")

	whole, err := os.ReadFile(path)
	require.NoError(t, err)
	headerEnd := len(fileMagic) + 4 + int(whole[len(fileMagic)+2])<<8 + int(whole[len(fileMagic)+3])
	edit := func(change func(b []byte) []byte) []byte { return change(append([]byte(nil), whole...)) }
	replace := func(old, with string) []byte {
		require.Contains(t, string(whole[:headerEnd]), old)
		require.Len(t, with, len(old))
		return edit(func(b []byte) []byte { return []byte(strings.Replace(string(b), old, with, 1)) })
	}
	for name, c := range map[string]struct {
		file []byte
		want string
	}{
		"empty":             {nil, "does not begin with"},
		"another file":      {[]byte("PNG " + strings.Repeat("x", 100)), "does not begin with"},
		"header cut":        {whole[:headerEnd-5], "header is cut short"},
		"header too long":   {edit(func(b []byte) []byte { b[len(fileMagic)] = 0xff; return b }), "more than 65536"},
		"header no JSON":    {edit(func(b []byte) []byte { b[len(fileMagic)+4] = '!'; return b }), "not JSON"},
		"too many units":    {replace(`"hidden":32,"epochs":3`, `"hidden":9999999999999`), "hidden is 9999999999999"},
		"accuracy beyond 1": {replace(`"accuracy":0.`, `"accuracy":7.`), "accuracy is 7."},
		"negative sizes":    {replace(`"trainSize":1500`, `"trainSize":-500`), "trainSize is -500"},
		"weights cut":       {whole[:len(whole)-9], "cut short"},
		"weights damaged":   {edit(func(b []byte) []byte { b[len(b)-77] ^= 1; return b }), "damaged"},
		"something follows": {append(append([]byte(nil), whole...), 0), "something follows"},
	} {
		t.Run(name, func(t *testing.T) {
			require.NoError(t, os.WriteFile(path, c.file, 0o600))
			_, err := Load(path)
			require.ErrorIs(t, err, ErrModelFile)
			require.ErrorContains(t, err, c.want)
			require.ErrorContains(t, err, path)
		})
	}
	t.Run("not there", func(t *testing.T) {
		_, err := Load(path + ".none")
		require.ErrorIs(t, err, os.ErrNotExist)
	})
	t.Run("nowhere to save", func(t *testing.T) {
		require.Error(t, m.Save(filepath.Join(path, "below-a-file")))
	})
}

func TestPreviewShowsTheDigit(t *testing.T) {
	var seven Image
	for x := 6; x < 20; x++ {
		seven[4*Side+x], seven[5*Side+x] = 255, 255
	}
	for y := 6; y < 24; y++ {
		at := y*Side + 19 - (y-6)/2
		seven[at], seven[at-1] = 255, 255
	}
	lines := ASCII(&seven)
	require.Len(t, lines, Side/2)
	require.Equal(t, "      ██████████████        ", lines[2])
	require.Equal(t, "                  ██        ", lines[3])
	require.Empty(t, cmp.Diff([]string{
		"  ▄▄▄▄▄▄▄     ▄▄▄▄▄▄▄",
		"       ▄█          ▄█",
		"      ▄█          ▄█",
		"     ▄█          ▄█",
		"    ▄█          ▄█",
		"    ▀           ▀",
	}, Strip([]Image{seven, seven})))
}

func TestEvaluateRefusesAnEmptySet(t *testing.T) {
	m, err := trained()
	require.NoError(t, err)
	_, err = Evaluate(m, Set{})
	require.ErrorContains(t, err, "no images")
	var e Evaluation
	_, ok := e.Recall(3)
	require.False(t, ok)
}

// errBroken is a disk that fails.
var errBroken = errors.New("the disk is broken")

type brokenWriter struct{}

func (brokenWriter) Write([]byte) (int, error) { return 0, errBroken }

func TestWriteReportsAFailingDisk(t *testing.T) {
	m, err := trained()
	require.NoError(t, err)
	require.ErrorIs(t, m.Write(brokenWriter{}), errBroken)
}

func BenchmarkRender(b *testing.B) {
	r := renderer()
	for b.Loop() {
		r.Set(1000, 1)
	}
	b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N)/1000, "µs/digit")
}

func BenchmarkPredict(b *testing.B) {
	m, err := trained()
	require.NoError(b, err)
	s := renderer().Set(100, 4)
	i := 0
	for b.Loop() {
		m.Predict(&s.Images[i%100])
		i++
	}
}
