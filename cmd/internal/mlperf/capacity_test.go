package mlperf

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestCapacityFindsTheHighestRateThatHolds(t *testing.T) {
	for _, c := range []struct {
		first, most, limit, want float64
	}{
		{10, 1e6, 137, 137},
		{1000, 1e6, 137, 137}, // the first does not hold
		{10, 1e6, 10, 10},
		{10, 100, 1e9, 100}, // more than may be tried
		{500, 100, 1e9, 100},
		{10, 1e6, 0.3, 0.3},
		{10, 1e6, 0, 0}, // none
	} {
		t.Run(fmt.Sprint(c), func(t *testing.T) {
			var rates []float64
			var confirmed bool
			got, err := Capacity(t.Context(), 0.1, c.first, c.most, func(_ context.Context, rate float64, confirms bool) (bool, error) {
				rates, confirmed = append(rates, rate), confirms
				require.GreaterOrEqual(t, rate, 0.1)
				require.LessOrEqual(t, rate, c.most)
				return rate <= c.limit, nil
			})
			require.NoError(t, err)
			require.LessOrEqual(t, got, c.want)
			require.GreaterOrEqual(t, got, c.want*(1-precision))
			require.Less(t, len(rates), 25, rates)
			require.Equal(t, got > 0, confirmed, "the last run confirms")
			if got > 0 {
				require.Equal(t, got, rates[len(rates)-1])
			}
		})
	}
}

func TestCapacityGoesDownWhereItIsNotConfirmed(t *testing.T) {
	fails := 2
	got, err := Capacity(t.Context(), 0.1, 10, 1e6, func(_ context.Context, rate float64, confirms bool) (bool, error) {
		if confirms && fails > 0 {
			fails--
			return false, nil
		}
		return rate <= 100, nil
	})
	require.NoError(t, err)
	require.InDelta(t, 100*0.95*0.95, got, 5)

	_, err = Capacity(t.Context(), 0.1, 10, 1e6, func(_ context.Context, rate float64, confirms bool) (bool, error) {
		return !confirms && rate < 100, nil
	})
	require.ErrorContains(t, err, "no rate held a second time")
	stop := errors.New("stop")
	_, err = Capacity(t.Context(), 0.1, 10, 1e6, func(context.Context, float64, bool) (bool, error) { return false, stop })
	require.ErrorIs(t, err, stop)
}
