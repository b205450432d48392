package installation_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/engine/installation"
)

func opened(t *testing.T, data, id string) *installation.Installation {
	t.Helper()
	i := installation.New()
	require.NoError(t, i.Open(data, id))
	return i
}

func TestAnInstallationKeepsItsIDInItsFolder(t *testing.T) {
	data := t.TempDir()
	first := opened(t, data, "").ID()
	require.Equal(t, first, opened(t, data, "").ID())
	require.NotEqual(t, first, opened(t, t.TempDir(), "").ID())
	info, err := os.Stat(filepath.Join(data, "installation"))
	require.NoError(t, err)
	require.EqualValues(t, 0o600, info.Mode().Perm())

	require.NoError(t, os.WriteFile(filepath.Join(data, "installation"), []byte("x\n"), 0o600))
	require.ErrorContains(t, installation.New().Open(data, ""), filepath.Join(data, "installation")+" holds no id; remove it")
	require.ErrorContains(t, installation.New().Open(filepath.Join(data, "none"), ""), "the id of this installation: ")
}

func TestADerivedIDIsThatOfItsPartsInOrder(t *testing.T) {
	require.Equal(t, installation.DeriveID("ca", "ns", "scanflow"), installation.DeriveID("ca", "ns", "scanflow"))
	for _, other := range [][]string{{"ca", "nss", "canflow"}, {"ca2", "ns", "scanflow"}, {"ns", "ca", "scanflow"}, {"ca", "ns"}} {
		require.NotEqual(t, installation.DeriveID("ca", "ns", "scanflow"), installation.DeriveID(other...))
	}
	id := installation.DeriveID("ca", "ns", "scanflow")
	require.Equal(t, id, opened(t, t.TempDir(), id).ID())
}

func TestAnAgentIsKnownByTheHeader(t *testing.T) {
	data := t.TempDir()
	here := opened(t, data, "")
	peer, stranger := installation.DeriveID("peer"), installation.DeriveID("stranger")
	require.NoError(t, here.AddPeerID("east", peer))
	require.NoError(t, here.AddPeerID("east", "no id"))
	require.NoError(t, here.AddPeerID("east", ""))
	for name, c := range map[string]struct {
		values     []string
		agent, our bool
	}{
		"none":                   {nil, false, false},
		"its own":                {[]string{here.ID()}, true, true},
		"in capitals":            {[]string{strings.ToUpper(here.ID())}, true, true},
		"a peer's":               {[]string{peer}, true, true},
		"a stranger's":           {[]string{stranger}, true, false},
		"empty":                  {[]string{""}, true, false},
		"what is no id":          {[]string{"no id"}, true, false},
		"one of two":             {[]string{stranger, here.ID()}, true, true},
		"two that a proxy joins": {[]string{stranger + " , " + peer}, true, true},
	} {
		t.Run(name, func(t *testing.T) {
			for _, i := range []*installation.Installation{here, opened(t, data, "")} { // after a restart too
				agent, ours := i.FromAgent(&http.Request{Header: headers(c.values)})
				require.Equal(t, c.agent, agent)
				require.Equal(t, c.our, ours)
			}
		})
	}
	agent, ours := (*installation.Installation)(nil).FromAgent(&http.Request{Header: http.Header{installation.Header: {peer}}})
	require.True(t, agent)
	require.False(t, ours)
}

func TestWhatIsRememberedOfAPeerIsBounded(t *testing.T) {
	data := t.TempDir()
	here := opened(t, data, "")
	id := func(n int) string { return installation.DeriveID(strings.Repeat("x", n)) }
	for n := range 20 {
		require.NoError(t, here.AddPeerID("east", id(n)))
	}
	ours := func(id string) bool {
		_, ours := here.FromAgent(&http.Request{Header: http.Header{installation.Header: {id}}})
		return ours
	}
	require.True(t, ours(id(19)))
	require.True(t, ours(id(12)))
	require.False(t, ours(id(11)), "eight of them")
	for n := range 400 {
		require.NoError(t, here.AddPeerID("peer-"+id(n), id(100+n)))
	}
	raw, err := os.ReadFile(filepath.Join(data, "peers"))
	require.NoError(t, err)
	require.Equal(t, 255, strings.Count(string(raw), "peer-"))

	require.NoError(t, os.WriteFile(filepath.Join(data, "peers"), []byte(`{"east": ["no id"]}`), 0o600))
	require.ErrorContains(t, installation.New().Open(data, ""), `east has "no id", which is none; remove the file`)
}

// A dial to this process is refused, however the address is written.
func TestTheProcessItselfIsNotReached(t *testing.T) {
	interfaces, err := net.InterfaceAddrs()
	require.NoError(t, err)
	var own []string
	for _, address := range interfaces {
		if n, ok := address.(*net.IPNet); ok && n.IP.To4() != nil {
			own = append(own, n.IP.String())
		}
	}
	for name, c := range map[string]struct {
		listen  string
		refused []string
		reached []string
	}{
		"a loopback address": {"127.0.0.1:0", []string{"127.0.0.1", "localhost", "0.0.0.0", "::ffff:127.0.0.1", "::ffff:7f00:1", "::"}, nil},
		"every address":      {":0", append([]string{"127.0.0.1", "127.0.0.2", "127.255.255.254", "localhost", "0.0.0.0", "::", "::ffff:127.0.0.9"}, own...), nil},
		"every address of 4": {"0.0.0.0:0", append([]string{"127.0.0.1", "127.8.0.1", "0.0.0.0"}, own...), nil},
		"another process'":   {"", nil, []string{"127.0.0.1", "localhost", "0.0.0.0"}},
	} {
		t.Run(name, func(t *testing.T) {
			i := opened(t, t.TempDir(), "")
			listen := c.listen
			if listen == "" {
				listen = "127.0.0.1:0"
			}
			l, err := net.Listen("tcp", listen)
			require.NoError(t, err)
			defer func() { _ = l.Close() }()
			if c.listen != "" {
				i.AddListener(l.Addr())
			}
			_, port, err := net.SplitHostPort(l.Addr().String())
			require.NoError(t, err)
			for _, host := range c.refused {
				_, err := i.DialContext(t.Context(), "tcp", net.JoinHostPort(host, port))
				require.ErrorIs(t, err, installation.ErrOwnListener, host)
			}
			for _, host := range c.reached {
				conn, err := i.DialContext(t.Context(), "tcp", net.JoinHostPort(host, port))
				require.NoError(t, err, host)
				require.NoError(t, conn.Close())
			}
		})
	}
}

// Requests of agents have Header, and requests to peers PeerHeader.
func TestRequestsSayWhoseTheyAre(t *testing.T) {
	var got http.Header
	peer := installation.DeriveID("peer")
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got = r.Header
		w.Header().Set(installation.PeerHeader, peer)
	}))
	defer s.Close()
	here := opened(t, t.TempDir(), "")
	ask := func(by http.RoundTripper) {
		r, err := http.NewRequestWithContext(context.Background(), http.MethodPost, s.URL, nil)
		require.NoError(t, err)
		resp, err := (&http.Client{Transport: by}).Do(r)
		require.NoError(t, err)
		_, err = io.Copy(io.Discard, resp.Body)
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
		require.Empty(t, r.Header, "the request is the caller's")
	}
	ask(here.AgentTransport())
	require.Equal(t, here.ID(), got.Get(installation.Header))
	require.Empty(t, got.Get(installation.PeerHeader))
	_, ours := here.FromAgent(&http.Request{Header: http.Header{installation.Header: {peer}}})
	require.False(t, ours, "an address of an agent's introduces nobody")

	ask(here.PeerTransport(http.DefaultTransport, func(err error) { require.NoError(t, err) }))
	require.Equal(t, here.ID(), got.Get(installation.PeerHeader))
	require.Empty(t, got.Get(installation.Header))
	_, ours = here.FromAgent(&http.Request{Header: http.Header{installation.Header: {peer}}})
	require.True(t, ours)
}

func headers(values []string) http.Header {
	if values == nil {
		return http.Header{}
	}
	return http.Header{installation.Header: values}
}
