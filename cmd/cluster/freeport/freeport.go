// Package freeport gives a test a port of this machine that stays its own.
//
// A port that was only asked for and let go again is the kernel's to hand out once
// more: to the listener of another test, or of the same one. With most ports in
// TIME_WAIT, as after a load test, few are left, and it soon is.
package freeport

import (
	"net"
	"testing"

	"github.com/stretchr/testify/require"
)

// Of is an address on 127.0.0.1, host:port, that refuses connections until somebody
// listens at it, which any program may. The kernel gives it to nobody else before the
// test ends.
func Reserve(t testing.TB) string {
	t.Helper()
	port, release, err := Hold()
	require.NoError(t, err)
	t.Cleanup(release)
	return Address(port)
}

// Address is host:port of a port on 127.0.0.1.
func Address(port int) string {
	return (&net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: port}).String()
}
