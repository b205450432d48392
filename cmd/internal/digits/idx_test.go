package digits

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// idx returns an IDX file: the numbers of the header, then the data.
func idx(data []byte, header ...uint32) []byte {
	var b []byte
	for _, v := range header {
		b = binary.BigEndian.AppendUint32(b, v)
	}
	return append(b, data...)
}

func idxImages(s Set) []byte {
	b := idx(nil, imagesMagic, uint32(s.Len()), Side, Side)
	for i := range s.Images {
		b = append(b, s.Images[i][:]...)
	}
	return b
}

func idxLabels(s Set) []byte { return idx(s.Labels, labelsMagic, uint32(len(s.Labels))) }

func zipped(t testing.TB, b []byte) []byte {
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	_, err := w.Write(b)
	require.NoError(t, err)
	require.NoError(t, w.Close())
	return out.Bytes()
}

func writeFiles(t testing.TB, dir string, files map[string][]byte) {
	for name, b := range files {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), b, 0o600))
	}
}

// TestNetLearnsFromIDX reads MNIST itself where SCANFLOW_MNIST names its folder,
// and otherwise files of the same form with rendered digits.
func TestNetLearnsFromIDX(t *testing.T) {
	dir := os.Getenv("SCANFLOW_MNIST")
	if dir == "" {
		dir = t.TempDir()
		s := renderer().Set(10000, 21)
		writeFiles(t, dir, map[string][]byte{"t10k-images-idx3-ubyte.gz": zipped(t, idxImages(s)), "t10k-labels-idx1-ubyte.gz": zipped(t, idxLabels(s))})
	}
	d, err := LoadIDX(dir)
	require.NoError(t, err)
	began := time.Now()
	m, err := Train(t.Context(), d, TrainOptions{Seed: 1})
	require.NoError(t, err)
	t.Logf("trained on %d in %s, test accuracy on %d: %.4f", d.Train.Len(), time.Since(began), d.Test.Len(), m.Info().Accuracy)
	require.Greater(t, m.Info().Accuracy, 0.93)
	require.Equal(t, "IDX files", m.Info().Source)
	total := d.Train.Len() + d.Test.Len()
	if total == 10000 { // t10k alone
		require.Equal(t, []int{8000, 2000}, []int{d.Train.Len(), d.Test.Len()})
	}
}

func TestLoadIDXPairs(t *testing.T) {
	a, b := renderer().Set(50, 1), renderer().Set(20, 2)
	t.Run("both parts", func(t *testing.T) {
		dir := t.TempDir()
		writeFiles(t, dir, map[string][]byte{
			"train-images-idx3-ubyte": idxImages(a), "train-labels-idx1-ubyte.gz": zipped(t, idxLabels(a)),
			"t10k-images-idx3-ubyte.gz": zipped(t, idxImages(b)), "t10k-labels-idx1-ubyte": idxLabels(b),
		})
		d, err := LoadIDX(dir)
		require.NoError(t, err)
		require.Equal(t, a, d.Train)
		require.Equal(t, b, d.Test)
	})
	t.Run("train alone", func(t *testing.T) {
		dir := t.TempDir()
		writeFiles(t, dir, map[string][]byte{"train-images-idx3-ubyte": idxImages(a), "train-labels-idx1-ubyte": idxLabels(a)})
		d, err := LoadIDX(dir)
		require.NoError(t, err)
		require.Equal(t, a.Slice(0, 40), d.Train)
		require.Equal(t, a.Slice(40, 50), d.Test)
	})
}

func TestLoadIDXRefuses(t *testing.T) {
	s := renderer().Set(10, 1)
	images, labels := idxImages(s), idxLabels(s)
	bad := append([]byte(nil), labels...)
	bad[len(bad)-1] = 10
	halfZipped := zipped(t, images)
	for name, c := range map[string]struct {
		files map[string][]byte
		want  []string
		is    error
	}{
		"an empty folder": {nil, []string{"has no MNIST files", "t10k-images-idx3-ubyte"}, os.ErrNotExist},
		"labels missing":  {map[string][]byte{"t10k-images-idx3-ubyte": images}, []string{"no t10k-labels-idx1-ubyte beside it"}, nil},
		"images missing":  {map[string][]byte{"t10k-labels-idx1-ubyte": labels}, []string{"no t10k-images-idx3-ubyte beside it"}, nil},
		"files exchanged": {map[string][]byte{"t10k-images-idx3-ubyte": labels, "t10k-labels-idx1-ubyte": images},
			[]string{"t10k-images-idx3-ubyte: bad IDX file: its magic number is 0x00000801", "t10k-labels-idx1-ubyte: bad IDX file: its magic number is 0x00000803"}, ErrIDX},
		"counts that differ": {map[string][]byte{"t10k-images-idx3-ubyte": images, "t10k-labels-idx1-ubyte": idxLabels(s.Slice(0, 9))},
			[]string{"has 10 images", "has 9 labels"}, ErrIDX},
		"cut short": {map[string][]byte{"t10k-images-idx3-ubyte": images[:len(images)-1], "t10k-labels-idx1-ubyte": labels[:len(labels)-2]},
			[]string{"announces 10 images and holds 9", "announces 10 labels and holds 8"}, ErrIDX},
		"header cut short":   {map[string][]byte{"t10k-images-idx3-ubyte": images[:11], "t10k-labels-idx1-ubyte": labels[:3]}, []string{"header is cut short"}, ErrIDX},
		"gzip cut short":     {map[string][]byte{"t10k-images-idx3-ubyte.gz": halfZipped[:len(halfZipped)/2], "t10k-labels-idx1-ubyte": labels}, []string{"images-idx3-ubyte.gz", "cut short"}, ErrIDX},
		"gzip tail damaged":  {map[string][]byte{"t10k-images-idx3-ubyte.gz": append(halfZipped[:len(halfZipped)-6:len(halfZipped)-6], 1, 2, 3, 4, 5, 6), "t10k-labels-idx1-ubyte": labels}, []string{"can't be read"}, gzip.ErrChecksum},
		"something follows":  {map[string][]byte{"t10k-images-idx3-ubyte": append(images[:len(images):len(images)], 1), "t10k-labels-idx1-ubyte": labels}, []string{"something follows"}, ErrIDX},
		"another image size": {map[string][]byte{"t10k-images-idx3-ubyte": idx(make([]byte, 32*32), imagesMagic, 1, 32, 32), "t10k-labels-idx1-ubyte": labels}, []string{"32 by 32"}, ErrIDX},
		"a huge count":       {map[string][]byte{"t10k-images-idx3-ubyte": idx(nil, imagesMagic, 1<<31, 28, 28), "t10k-labels-idx1-ubyte": labels}, []string{"announces 2147483648"}, ErrIDX},
		"a label of 10":      {map[string][]byte{"t10k-images-idx3-ubyte": images, "t10k-labels-idx1-ubyte": bad}, []string{"label 9 is 10"}, ErrIDX},
		"too few to split":   {map[string][]byte{"t10k-images-idx3-ubyte": idxImages(s.Slice(0, 1)), "t10k-labels-idx1-ubyte": idxLabels(s.Slice(0, 1))}, []string{"training set has no images"}, nil},
		"one bad part of two": {map[string][]byte{"train-images-idx3-ubyte": images, "train-labels-idx1-ubyte": labels, "t10k-images-idx3-ubyte": images[:9], "t10k-labels-idx1-ubyte": labels},
			[]string{"t10k-images-idx3-ubyte", "header is cut short"}, ErrIDX},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			writeFiles(t, dir, c.files)
			_, err := LoadIDX(dir)
			for _, want := range c.want {
				require.ErrorContains(t, err, want)
			}
			if c.is != nil {
				require.ErrorIs(t, err, c.is)
			}
		})
	}
}

// FuzzIDX reads any bytes with the two parsers. A file that they accept is complete and has only
// digits; any other is an ErrIDX.
func FuzzIDX(f *testing.F) {
	s := renderer().Set(2, 1)
	f.Add(idxImages(s))
	f.Add(idxLabels(s))
	f.Add(zipped(f, idxLabels(s)))
	f.Add(zipped(f, idxImages(s)))
	f.Add(idx(nil, imagesMagic, 0, Side, Side))
	f.Add([]byte{0x1f, 0x8b})
	f.Fuzz(func(t *testing.T, b []byte) {
		images, err := ReadImages(bytes.NewReader(b))
		if err == nil && !isZipped(b) {
			require.Equal(t, b, idxImages(Set{Images: images}))
		}
		require.True(t, err == nil || errors.Is(err, ErrIDX), "%v", err)
		labels, err := ReadLabels(bytes.NewReader(b))
		if err == nil && !isZipped(b) {
			require.Equal(t, b, idxLabels(Set{Labels: labels}))
		}
		require.True(t, err == nil || errors.Is(err, ErrIDX), "%v", err)
		require.Equal(t, -1, strings.IndexFunc(string(labels), func(r rune) bool { return r > 9 }))
	})
}

func isZipped(b []byte) bool { return bytes.HasPrefix(b, []byte{0x1f, 0x8b}) }
