package workflow

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
)

// ReadFolder reads the saved runs of a Runner's folder, the newest first, whether a Runner
// has the folder open or not. It changes nothing and checks no process: a run whose Runner
// has ended stays Running until another Runner resumes it. The error joins those of
// unreadable records; the other runs are returned with it.
func ReadFolder(dir string) ([]Run, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("look for runs: %w", err)
	}
	reader := &Runner{opts: Options{Dir: dir}}
	runs, errs := []Run{}, []error{}
	for _, e := range entries {
		if !e.IsDir() {
			continue
		}
		rec, err := readRecord(filepath.Join(dir, e.Name()))
		switch {
		case errors.Is(err, fs.ErrNotExist): // the run is being created or removed
		case err != nil:
			errs = append(errs, err)
		default:
			runs = append(runs, *reader.newRun(rec).snapshot.Load())
		}
	}
	slices.SortFunc(runs, newestFirst)
	return runs, errors.Join(errs...)
}

func newestFirst(a, b Run) int {
	return cmp.Or(b.StartedAt.Compare(a.StartedAt), cmp.Compare(a.Name, b.Name))
}
