package clusterview

import (
	"encoding/json"
	"math"
	"strconv"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"
)

func TestNumbersAreJSONs(t *testing.T) {
	require.Empty(t, cmp.Diff(
		any(map[string]any{"a": []any{1.0, "x", true, nil}, "b": 0.5}),
		asJSON(map[string]any{"a": []any{int64(1), "x", true, nil}, "b": 0.5})))
	require.Equal(t, float64(1<<53), asJSON(int64(1<<53)))
	require.Equal(t, -float64(1<<53), asJSON(-int64(1<<53)))
	for _, n := range []int64{1<<53 + 1, -1<<53 - 1, math.MaxInt64} {
		require.Equal(t, json.Number(strconv.FormatInt(n, 10)), asJSON(n), "a float64 would make another number of it")
	}
}
