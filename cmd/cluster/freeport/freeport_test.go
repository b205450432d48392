package freeport

import (
	"net"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestAReservedPortRefusesUntilListened(t *testing.T) {
	at := Reserve(t)
	_, err := net.Dial("tcp", at)
	require.ErrorIs(t, err, syscall.ECONNREFUSED)
	for range 2 { // as for a server that restarts
		l, err := net.Listen("tcp", at)
		require.NoError(t, err)
		c, err := net.Dial("tcp", at)
		require.NoError(t, err)
		require.NoError(t, c.Close())
		require.NoError(t, l.Close())
	}
	_, err = net.Dial("tcp", at)
	require.ErrorIs(t, err, syscall.ECONNREFUSED)
}
