package statefile

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// List returns the paths of the entries of a folder whose names match a pattern of
// filepath.Match, in the order of their names; none for a folder that does not exist. Unlike
// filepath.Glob, it reports a folder that can't be read, and takes the folder's own name as it is.
func List(dir, pattern string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	var out []string
	for _, e := range entries {
		matches, err := filepath.Match(pattern, e.Name())
		if err != nil {
			return nil, err
		}
		if matches {
			out = append(out, filepath.Join(dir, e.Name()))
		}
	}
	return out, nil
}
