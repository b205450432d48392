package policy

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/engine"
)

// Whatever a bundle holds, it is read within bounds or refused.
func FuzzUnpack(f *testing.F) {
	var b bytes.Buffer
	zw := gzip.NewWriter(&b)
	tw := tar.NewWriter(zw)
	for name, text := range basic() {
		require.NoError(f, tw.WriteHeader(&tar.Header{Name: "/" + name, Size: int64(len(text)), Mode: 0o644, Typeflag: tar.TypeReg}))
		_, err := tw.Write([]byte(text))
		require.NoError(f, err)
	}
	require.NoError(f, tw.Close())
	require.NoError(f, zw.Close())
	f.Add(b.Bytes())
	f.Add([]byte("not a bundle"))
	f.Fuzz(func(t *testing.T, packed []byte) {
		files, err := unpack(packed)
		if err != nil {
			return
		}
		src := newSource("x", files)
		if _, mistakes := src.open(); len(mistakes) > 0 {
			return
		}
		require.Len(t, src.ID(), 12)
		for _, file := range src.Files {
			require.True(t, wanted(file.Path))
			require.NotContains(t, file.Path, "../")
		}
	})
}

// What a strategy writes in because is read as it was written, or refused.
func FuzzEvidence(f *testing.F) {
	for _, s := range []string{"load", "load:empty", "load:", ":empty", "", "a:b:c"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		e, err := evidence(s)
		if err != nil {
			return
		}
		require.NotEmpty(t, e.Signal)
		require.Contains(t, engine.States, e.State)
		if e.State != engine.OK {
			require.Equal(t, s, e.String())
		}
	})
}
