package mlflow

import (
	"context"
	"errors"
	"fmt"
	"net/url"
)

// EnsureExperiment returns the id of the experiment of a name, and creates it if there is none.
// A deleted experiment is an error: its name is taken.
func (c *Client) EnsureExperiment(ctx context.Context, name string) (id string, err error) {
	id, err = c.experiment(ctx, name)
	if !errors.Is(err, ErrNotFound) {
		return id, err
	}
	var out struct {
		ID text `json:"experiment_id"`
	}
	err = c.post(ctx, "experiments/create", map[string]string{"name": name}, &out)
	if errors.Is(err, ErrExists) { // created by somebody else meanwhile, or deleted
		if id, again := c.experiment(ctx, name); again == nil {
			return id, nil
		}
		return "", fmt.Errorf("experiment %q was deleted; restore it, or use another name: %w", name, err)
	}
	return string(out.ID), err
}

// Experiments returns the ids of experiments by name, without those that don't exist or were
// deleted.
func (c *Client) Experiments(ctx context.Context, names []string) (map[string]string, error) {
	out := make(map[string]string, len(names))
	for _, name := range names {
		if _, known := out[name]; known {
			continue
		}
		id, err := c.experiment(ctx, name)
		if errors.Is(err, ErrNotFound) {
			continue
		}
		if err != nil {
			return nil, err
		}
		out[name] = id
	}
	return out, nil
}

// experiment returns the id of an experiment. The error is ErrNotFound if it was deleted, too.
func (c *Client) experiment(ctx context.Context, name string) (string, error) {
	var out struct {
		Experiment struct {
			ID        text   `json:"experiment_id"`
			Lifecycle string `json:"lifecycle_stage"`
		} `json:"experiment"`
	}
	if err := c.get(ctx, "experiments/get-by-name", url.Values{"experiment_name": {name}}, &out); err != nil {
		return "", err
	}
	if out.Experiment.Lifecycle == "deleted" {
		return "", fmt.Errorf("experiment %q was deleted: %w", name, ErrNotFound)
	}
	return string(out.Experiment.ID), nil
}
