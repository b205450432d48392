package server

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
	"unicode/utf8"

	"github.com/hashicorp/go-hclog"
	"github.com/stretchr/testify/require"
)

// FuzzSenders reads any file: it is refused, or its senders can be distinguished and have valid
// rights.
func FuzzSenders(f *testing.F) {
	for _, text := range []string{
		"", "senders: []", "senders: [", "- a", "senders: {a: b}",
		"senders: [{name: a, bearerToken: {env: A}}]",
		"senders: [{name: a, rights: [read, send, answer], clientCertificate: {dnsName: a}}, {name: b, peer: true, clientCertificate: {uri: 'spiffe://b'}}]",
		"senders: [{name: a, rights: [], clientCertificate: {dnsName: a}}]",
		"senders: [{name: a, peer: true, rights: [send, send], clientCertificate: {dnsName: a}}]",
		"senders: &a [*a]", "senders: &a\n- {name: a, rights: &b [read], clientCertificate: {dnsName: a}}\n- {name: b, rights: *b, clientCertificate: {dnsName: b}}\n",
		"senders: [{name: api, bearerToken: {secretKeyRef: {name: a, key: b}}}]", "senders: [{name: a, bearerToken: hunter2}]\n---\nsenders: []",
		"senders: [{<<: {name: a}, clientCertificate: {dnsName: a}}]", "senders: [{name: a, name: b}]",
	} {
		f.Add([]byte(text))
	}
	f.Setenv("A", "a-token")
	f.Fuzz(func(t *testing.T, text []byte) {
		file := filepath.Join(t.TempDir(), "senders.yaml")
		require.NoError(t, os.WriteFile(file, text, 0o600))
		s, err := ReadSenders(file, nil, hclog.NewNullLogger())
		if err != nil {
			require.True(t, utf8.ValidString(err.Error()))
			require.Nil(t, s)
			return
		}
		names := map[string]bool{}
		for _, d := range s.current.get() {
			require.Regexp(t, senderName, d.Name)
			require.NotEqual(t, "api", d.Name)
			require.False(t, names[d.Name], "told apart")
			names[d.Name] = true
			require.True(t, d.BearerToken != nil || d.ClientCertificate != nil)
			rights := d.rights()
			require.NotEmpty(t, rights)
			for i, right := range rights {
				require.True(t, allRights.has(right))
				require.False(t, slices.Contains(rights[:i], right))
			}
			require.False(t, d.Peer && (rights.has(Answer) || !rights.has(Send)))
		}
		require.NotEmpty(t, names)
	})
}
