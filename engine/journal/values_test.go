package journal

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestWhatIsKeptIsThereAfterARestart(t *testing.T) {
	dir := t.TempDir()
	j, err := Open(t.Context(), dir, Options{})
	require.NoError(t, err)
	none, err := j.Kept(t.Context(), "x")
	require.NoError(t, err)
	require.Nil(t, none)
	require.NoError(t, j.Keep(t.Context(), "x", []byte("one")))
	require.NoError(t, j.Keep(t.Context(), "x", []byte("two")))
	require.NoError(t, j.Close())
	j, err = Open(t.Context(), dir, Options{})
	require.NoError(t, err)
	two, err := j.Kept(t.Context(), "x")
	require.NoError(t, err)
	require.Equal(t, "two", string(two))
	require.NoError(t, j.Close())
}
