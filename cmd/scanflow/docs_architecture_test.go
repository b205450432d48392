package main

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// The page on the architecture has every package of the product, in bold, by its last
// folders.
func TestArchitecturePageNamesPackages(t *testing.T) {
	t.Parallel()
	root := filepath.Join("..", "..")
	page, err := os.ReadFile(filepath.Join(root, "docs", "architecture.md"))
	require.NoError(t, err)
	named := map[string]bool{}
	for _, m := range regexp.MustCompile(`\*\*([\w/]+)\*\*`).FindAllStringSubmatch(string(page), -1) {
		named[filepath.Base(m[1])] = true
	}
	for _, top := range []string{"actuators", "cmd", "engine", "policies", "sensors"} {
		require.NoError(t, filepath.WalkDir(filepath.Join(root, top), func(path string, d fs.DirEntry, err error) error {
			switch {
			case err != nil:
				return err
			case d.IsDir() && d.Name() == "testdata":
				return fs.SkipDir
			case strings.HasSuffix(path, ".go"):
				require.True(t, named[filepath.Base(filepath.Dir(path))], path)
			}
			return nil
		}))
	}
}
