package server

import (
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
)

// One sender has half the room, all of them have all of it, and what is given back is
// there for the next.
func TestBodiesShareTheirRoom(t *testing.T) {
	turns := newTurns(3, 1000)
	first, err := turns.take("a", -1)
	require.NoError(t, err)
	require.NoError(t, first.hold(400))
	second, err := turns.take("a", 100)
	require.NoError(t, err)
	require.NoError(t, second.hold(100))
	require.ErrorIs(t, second.hold(1), errRoom)
	require.EqualError(t, second.hold(1), "no room for what more requests bring: those of this sender hold 500 of 500 bytes")
	_, err = turns.take("a", 1)
	require.ErrorIs(t, err, errRoom, "a body that would not fit is not begun")
	_, err = turns.take("a", -1)
	require.NoError(t, err, "one of unknown length is")
	_, err = turns.take("a", -1)
	require.ErrorIs(t, err, errTurns)

	other, err := turns.take("b", 500)
	require.NoError(t, err, "another has its own half")
	require.NoError(t, other.hold(500))
	_, err = turns.take("c", 1)
	require.EqualError(t, err, "no room for what more requests bring: those under way hold 1000 of 1000 bytes")
	first.giveBack()
	third, err := turns.take("c", 400)
	require.NoError(t, err)
	for _, r := range []*request{second, other, third} {
		r.giveBack()
	}
	require.Zero(t, turns.used)
	for i := range 100 {
		r, err := turns.take(strconv.Itoa(i), 10)
		require.NoError(t, err)
		require.NoError(t, r.hold(10))
		r.giveBack()
	}
	require.Len(t, turns.held, 1, "senders are forgotten")
}
