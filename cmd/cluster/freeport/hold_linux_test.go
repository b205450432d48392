package freeport

import (
	"net"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// The kernel never assigns a reserved port to a listener on port 0.
func TestAReservedPortIsNotAssigned(t *testing.T) {
	held := map[string]bool{}
	for range 20 {
		held[Reserve(t)] = true
	}
	require.Len(t, held, 20)
	for range 3 * ports(t) {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(t, err)
		require.False(t, held[l.Addr().String()], "the kernel assigned %s", l.Addr())
		require.NoError(t, l.Close())
	}
}

// ports returns the size of the kernel's range of ephemeral ports.
func ports(t *testing.T) int {
	raw, err := os.ReadFile("/proc/sys/net/ipv4/ip_local_port_range")
	require.NoError(t, err)
	of := strings.Fields(string(raw))
	require.Len(t, of, 2)
	low, err := strconv.Atoi(of[0])
	require.NoError(t, err)
	high, err := strconv.Atoi(of[1])
	require.NoError(t, err)
	return high - low + 1
}
