package offline

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/scanflow-k8s/scanflow/cmd/internal/classifier"
	"github.com/scanflow-k8s/scanflow/engine/plainfile"
)

// progress is the content of the progress file: the batch, and how many of its samples are
// complete without a gap.
type progress struct {
	Model   classifier.Model `json:"model"`
	Seed    uint64           `json:"seed"`
	Samples int              `json:"samples"`
	Done    int              `json:"done"`
}

// load returns the number of samples that earlier runs have completed.
func (o *Options) load() (int, error) {
	if o.Progress == "" {
		return 0, nil
	}
	raw, err := plainfile.Read(o.Progress, 4096)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	} else if err != nil {
		return 0, fmt.Errorf("batch: progress: %w", err)
	}
	var p progress
	if err := json.Unmarshal(raw, &p); err != nil || p.Done < 0 || p.Done > p.Samples {
		return 0, fmt.Errorf("batch: %s does not hold the progress of a batch: remove it to begin anew, or name another file", o.Progress)
	}
	if (progress{o.Model, o.Seed, o.Samples, p.Done}) != p {
		return 0, fmt.Errorf("batch: %s is of another batch (model %s, seed %d, %d samples): remove it to begin anew, or name another file", o.Progress, p.Model, p.Seed, p.Samples)
	}
	return p.Done, nil
}

// save replaces the file atomically.
func (o *Options) save(done int) error {
	if o.Progress == "" {
		return nil
	}
	raw, err := json.Marshal(progress{o.Model, o.Seed, o.Samples, done})
	if err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(o.Progress), filepath.Base(o.Progress)+".*")
	if err != nil {
		return fmt.Errorf("batch: progress: %w", err)
	}
	_, err = f.Write(append(raw, '\n'))
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), o.Progress)
	}
	if err != nil {
		return fmt.Errorf("batch: progress: %w", errors.Join(err, os.Remove(f.Name())))
	}
	return nil
}
