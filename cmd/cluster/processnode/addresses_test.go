package processnode

import (
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"
)

func claimed(t *testing.T, block, name string) *addressPool {
	t.Helper()
	var prefix netip.Prefix
	if block != "" {
		prefix = netip.MustParsePrefix(block)
	}
	a, err := claimPool(t.Context(), prefix, name)
	require.NoError(t, err)
	t.Cleanup(func() { _ = a.listener.Close() })
	return a
}

func TestABlockBelongsToOneNode(t *testing.T) {
	a := claimed(t, "127.20.0.0/16", "a")
	_, err := claimPool(t.Context(), a.block, "b")
	require.ErrorContains(t, err, "another node on this machine has them")

	first := claimed(t, "", "same")
	second := claimed(t, "", "same")
	require.NotEqual(t, first.block, second.block)
	require.NoError(t, first.listener.Close())
	require.Equal(t, first.block, claimed(t, "", "same").block, "a node's next run finds its block again")
}

func TestAddressesAreReusedLate(t *testing.T) {
	a := claimed(t, "127.21.0.0/29", "a") // .0 to .7; .1 is the node's
	var got []string
	for range 6 {
		ip, err := a.allocate("")
		require.NoError(t, err)
		got = append(got, ip)
	}
	require.Equal(t, []string{"127.21.0.2", "127.21.0.3", "127.21.0.4", "127.21.0.5", "127.21.0.6", "127.21.0.7"}, got)
	_, err := a.allocate("")
	require.ErrorContains(t, err, "127.21.0.0/29")
	a.release("127.21.0.4")
	a.release("127.21.0.3")
	a.release("127.21.0.1") // the node's own stays its own
	ip, err := a.allocate("127.21.0.4")
	require.NoError(t, err)
	require.Equal(t, "127.21.0.4", ip)
	ip, err = a.allocate("127.21.0.4")
	require.NoError(t, err)
	require.Equal(t, "127.21.0.3", ip, "a wish that is another's is not granted")
}

func TestAllInvalidOptionsAreReported(t *testing.T) {
	err := Run(t.Context(), Options{
		Name: "No Name", Labels: map[string]string{"a b": "c"}, AddressBase: netip.MustParsePrefix("::1/128"), Heartbeat: -1,
	})
	for _, part := range []string{"client", "No Name", "folder", "a b=c", "::1/128", "heartbeat"} {
		require.ErrorContains(t, err, part)
	}
}
