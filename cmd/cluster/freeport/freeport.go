// Package freeport reserves free ports of this machine for tests and for the test
// cluster. It is not part of the product, and imports no other package of this module.
//
// A port that is found by listening on port 0 and closing the listener may be assigned
// again by the kernel, to another listener. That is likely if most ports are in
// TIME_WAIT, as after a load test. Start reading at Reserve.
package freeport

import (
	"net"
	"testing"

	"github.com/stretchr/testify/require"
)

// Reserve returns an address on 127.0.0.1, as host:port, that refuses connections until a
// program listens on it. The kernel assigns the port to no other listener before the test
// ends.
func Reserve(t testing.TB) string {
	t.Helper()
	port, release, err := Hold()
	require.NoError(t, err)
	t.Cleanup(release)
	return Address(port)
}

// Address returns the host:port of a port on 127.0.0.1.
func Address(port int) string {
	return (&net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: port}).String()
}
