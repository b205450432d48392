package mlflow

import (
	"context"
	"net/url"
)

// Artifact is a file or folder of a run.
type Artifact struct {
	Path  string // from the root of the run's artifacts
	IsDir bool
	Size  int64 // bytes; 0 for a folder
}

// ListArtifacts returns the artifacts directly below a path of a run; "" is its root.
func (c *Client) ListArtifacts(ctx context.Context, runID, path string) ([]Artifact, error) {
	var all []Artifact
	asked := pages{}
	for token := ""; ; {
		ask := url.Values{"run_id": {runID}}
		if path != "" {
			ask.Set("path", path)
		}
		if token != "" {
			ask.Set("page_token", token)
		}
		var page struct {
			Files []struct {
				Path  string  `json:"path"`
				IsDir bool    `json:"is_dir"`
				Size  integer `json:"file_size"`
			} `json:"files"`
			Next string `json:"next_page_token"`
		}
		if err := c.get(ctx, "artifacts/list", ask, &page); err != nil {
			return nil, err
		}
		for _, f := range page.Files {
			all = append(all, Artifact{f.Path, f.IsDir, int64(f.Size)})
		}
		more, err := asked.next("artifacts/list", page.Next)
		if err != nil {
			return nil, err
		}
		if !more {
			return all, nil
		}
		token = page.Next
	}
}
