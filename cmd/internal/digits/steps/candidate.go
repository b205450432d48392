package steps

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strconv"
)

// Candidate is a version that was trained and is to be evaluated.
type Candidate struct {
	Model   string `json:"model"`
	Version string `json:"version"`
	RunID   string `json:"run_id"`
}

// number returns the number of the version, which grows: later measurements have higher steps.
func (c Candidate) number() int64 {
	n, _ := strconv.ParseInt(c.Version, 10, 64) // 0 for a registry that doesn't count
	return n
}

// Save writes the candidate to a file.
func (c Candidate) Save(path string) error {
	raw, err := json.Marshal(c)
	if err == nil {
		err = os.WriteFile(path, append(raw, '\n'), 0o644)
	}
	if err != nil {
		return fmt.Errorf("save candidate: %w", err)
	}
	return nil
}

// LoadCandidate reads what Save wrote.
func LoadCandidate(path string) (Candidate, error) {
	var c Candidate
	raw, err := os.ReadFile(path)
	if err == nil {
		err = json.Unmarshal(raw, &c)
	}
	if err == nil && (c.Model == "" || c.Version == "" || c.RunID == "") {
		err = errors.New("it does not name a model, a version and a run, as what the step train writes does")
	}
	if err != nil {
		return c, fmt.Errorf("load candidate %s: %w", path, err)
	}
	return c, nil
}
