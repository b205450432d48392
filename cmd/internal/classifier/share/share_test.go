package share

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestShares(t *testing.T) {
	for text, want := range map[string]Share{"150m": 150, "0.15": 150, "1": 1000, "1500m": 1500, "2.0": 2000, "1m": 1, "150000u": 150, "1k": 1_000_000} {
		var s Share
		require.NoError(t, s.Set(text), text)
		require.Equal(t, want, s, text)
		var again Share
		require.NoError(t, again.Set(s.String()))
		require.Equal(t, s, again)
	}
	for text, want := range map[string]string{
		"": "is no quantity", "$(CPU_LIMIT)m": "is no quantity", "15%": "is no quantity", " 1": "is no quantity",
		"0": "above 0", "0m": "above 0", "m": "above 0", "-1": "above 0",
		"0.0005": "thousandths", "100u": "thousandths", "1001": "thousandths", "1e30": "thousandths", "99999999999999999999": "thousandths",
	} {
		s := Share(7)
		require.ErrorContains(t, s.Set(text), want, text)
		require.Equal(t, Share(7), s, "a refused share changes nothing")
	}
	var none Share
	require.Empty(t, none.String())
}
