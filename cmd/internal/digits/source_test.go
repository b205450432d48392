package digits

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestPartsHaveNothingInCommon(t *testing.T) {
	rendered, err := Source{Seed: 3, Count: 500}.Load()
	require.NoError(t, err)
	require.Equal(t, []int{500, heldOut, streamDigits}, []int{rendered.Base.Len(), rendered.Held.Len(), rendered.Stream.Len()})

	dir := t.TempDir()
	s := renderer().Set(1000, 8)
	writeFiles(t, dir, map[string][]byte{"t10k-images-idx3-ubyte": idxImages(s), "t10k-labels-idx1-ubyte": idxLabels(s)})
	files, err := Source{Folder: dir}.Load()
	require.NoError(t, err)
	require.Equal(t, Parts{Base: s.Slice(0, 500), Stream: s.Slice(500, 800), Held: s.Slice(800, 1000), Source: "IDX files"}, files)
	few, err := Source{Folder: dir, Count: 100}.Load()
	require.NoError(t, err)
	require.Equal(t, 100, few.Base.Len())
	require.Equal(t, files.Stream, few.Stream)

	for _, p := range []Parts{rendered, files} {
		seen := map[Image]string{}
		for part, set := range map[string]Set{"base": p.Base, "stream": p.Stream, "held": p.Held} {
			require.NoError(t, set.check(part))
			for i := range set.Images {
				if other, has := seen[set.Images[i]]; has {
					t.Fatalf("%s %d is in %s too", part, i, other)
				}
				seen[set.Images[i]] = part
			}
		}
	}
	_, err = Source{Count: -1}.Load()
	require.ErrorContains(t, err, "-1 is below 1")
	_, err = Source{Folder: t.TempDir()}.Load()
	require.ErrorContains(t, err, "has no MNIST files")
}

func TestWrittenImagesAreRead(t *testing.T) {
	for _, images := range [][]Image{nil, renderer().Set(7, 1).Images} {
		var file bytes.Buffer
		require.NoError(t, WriteImages(&file, images))
		again, err := ReadImages(&file)
		require.NoError(t, err)
		require.Equal(t, images, again)
	}
	require.ErrorIs(t, WriteImages(brokenWriter{}, nil), errBroken)
}
