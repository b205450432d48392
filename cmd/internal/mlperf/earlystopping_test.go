package mlperf

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// TestEarlyStoppingIsLoadGens compares with summaries that LoadGen printed in published
// runs ("Processed at least ... queries", "Would discard ... highest latency queries",
// "Would need to run at least ... more queries"), and the minimum query counts of
// mlcommons/inference's mlperf.conf and issue 1629.
func TestEarlyStoppingIsLoadGens(t *testing.T) {
	for _, c := range []struct {
		over int
		p    float64
		want int
	}{
		{0, 0.99, 459}, // a Server run of 21 queries, none too slow: "438 more"
		{1, 0.99, 662}, // MultiStream
		{1, 0.90, 64},  // SingleStream
	} {
		require.Equalf(t, c.want, MinQueries(c.over, c.p), "%d too slow at %g", c.over, c.p)
	}
	for _, c := range []struct {
		queries int
		p       float64
		discard int
	}{
		{2048, 0.90, 172}, {2116, 0.90, 178}, {7914, 0.90, 728}, {4776846, 0.90, 476158},
		{1179125, 0.99, 11539}, {2091550, 0.99, 20579},
	} {
		over, ok := maxOver(c.queries, c.p)
		require.True(t, ok)
		require.Equalf(t, c.discard, over-1, "%d queries at %g", c.queries, c.p)
	}
	for queries, want := range map[int]bool{0: false, 1: false, 63: false, 64: true} {
		_, ok := maxOver(queries, 0.90)
		require.Equal(t, want, ok, queries)
	}
}

// TestMinQueriesAndMaxOverAgree walks through counts.
func TestMinQueriesAndMaxOverAgree(t *testing.T) {
	for over := range 60 {
		for _, p := range []float64{0.5, 0.9, 0.99, 0.999} {
			n := MinQueries(over, p)
			require.True(t, passes(n, over, p))
			require.False(t, passes(n-1, over, p))
			if over > 0 {
				most, ok := maxOver(n, p)
				require.True(t, ok)
				require.GreaterOrEqual(t, most, over)
				most, ok = maxOver(n-1, p)
				require.True(t, !ok || most < over)
			}
		}
	}
}
