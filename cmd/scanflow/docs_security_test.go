package main

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"
)

// Each promise of the page on security names tests, and each of them is there.
func TestSecurityPageNamesTests(t *testing.T) {
	page, err := os.ReadFile("../../docs/security.md")
	require.NoError(t, err)
	named := regexp.MustCompile("`(\\w+) (\\./[a-z/]+)`").FindAllStringSubmatch(string(page), -1)
	require.Greater(t, len(named), 20)
	for _, n := range named {
		files, err := filepath.Glob(filepath.Join("../..", n[2], "*_test.go"))
		require.NoError(t, err)
		is := regexp.MustCompile(`(?m)^func Test\w*\(`)
		found := false
		for _, file := range files {
			raw, err := os.ReadFile(file)
			require.NoError(t, err)
			for _, test := range is.FindAllString(string(raw), -1) {
				found = found || regexp.MustCompile(n[1]).MatchString(test)
			}
		}
		require.True(t, found, "no test %s in %s", n[1], n[2])
	}
}
