package manifest

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// A credential goes to its own address and below, and nowhere that only looks like it.
func TestCredentialCovers(t *testing.T) {
	c := &Credential{URL: "https://hooks.example.com/team/"}
	for address, covered := range map[string]bool{
		"https://hooks.example.com/team":           true,
		"https://hooks.example.com/team/":          true,
		"https://HOOKS.example.com/team/a?b=c":     true,
		"https://hooks.example.com/teams":          false,
		"https://hooks.example.com/":               false,
		"https://hooks.example.com.evil.org/team/": false,
		"https://hooks.example.com:8443/team/":     false,
		"http://hooks.example.com/team/":           false,
		"https://hooks.example.com/team/../admin":  false,
		"https://hooks.example.com/team/%2e%2e/a":  false,
		"https://hooks.example.com/team/..;/a":     false,
		"https://hooks.example.com/team/%252e%2e/": false,
		"https://hooks.example.com/team/..%5ca":    false,
		"https://hooks.example.com./team/a":        false,
		"https://u@hooks.example.com/team/a":       false,
		"://":                                      false,
	} {
		require.Equal(t, covered, c.Covers(address), address)
	}
	require.False(t, (&Credential{URL: "://"}).Covers("https://hooks.example.com/"))
}
