package demo

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestSetParam(t *testing.T) {
	raw := "  params:\n    each: 3 # measured\n    each_other: 4\n"
	require.Equal(t, "  params:\n    each: 2.50\n    each_other: 4\n", string(setParam([]byte(raw), "each", "2.50")))
	require.Equal(t, raw, string(setParam([]byte(raw), "absent", "1")))
}
