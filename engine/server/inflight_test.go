package server

import (
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
)

// One sender may use half of the bytes, all senders together all of them, and released bytes are
// available again.
func TestBodiesShareTheirRoom(t *testing.T) {
	turns := newInflightLimiter(3, 1000)
	first, err := turns.acquire("a", -1)
	require.NoError(t, err)
	require.NoError(t, first.reserve(400))
	second, err := turns.acquire("a", 100)
	require.NoError(t, err)
	require.NoError(t, second.reserve(100))
	require.ErrorIs(t, second.reserve(1), errTooManyBytes)
	require.EqualError(t, second.reserve(1), "no room for what more requests bring: those of this sender hold 500 of 500 bytes")
	_, err = turns.acquire("a", 1)
	require.ErrorIs(t, err, errTooManyBytes, "a body that would not fit is not begun")
	_, err = turns.acquire("a", -1)
	require.NoError(t, err, "one of unknown length is")
	_, err = turns.acquire("a", -1)
	require.ErrorIs(t, err, errTooManyRequests)

	other, err := turns.acquire("b", 500)
	require.NoError(t, err, "another has its own half")
	require.NoError(t, other.reserve(500))
	_, err = turns.acquire("c", 1)
	require.EqualError(t, err, "no room for what more requests bring: those under way hold 1000 of 1000 bytes")
	first.release()
	third, err := turns.acquire("c", 400)
	require.NoError(t, err)
	for _, r := range []*inflightRequest{second, other, third} {
		r.release()
	}
	require.Zero(t, turns.used)
	for i := range 100 {
		r, err := turns.acquire(strconv.Itoa(i), 10)
		require.NoError(t, err)
		require.NoError(t, r.reserve(10))
		r.release()
	}
	require.Len(t, turns.senders, 1, "senders are forgotten")
}
