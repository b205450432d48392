package plot

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestWrap(t *testing.T) {
	require.Equal(t, "one two\nthree", Wrap(" one  two three ", "", 9))
	require.Equal(t, "  one\n  two", Wrap("one two", "  ", 7))
	require.Equal(t, "much-too-long\nx", Wrap("much-too-long x", "", 5))
	require.Equal(t, "é é\né", Wrap("é é é", "", 4), "columns are characters")
	require.Equal(t, "", Wrap("", "", 5))
}
