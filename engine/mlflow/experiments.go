package mlflow

import (
	"context"
	"errors"
	"fmt"
	"net/url"
)

// EnsureExperiment is the id of the experiment of a name, which is made if there is
// none. One that was deleted is an error: its name is taken.
func (c *Client) EnsureExperiment(ctx context.Context, name string) (id string, err error) {
	id, err = c.experiment(ctx, name)
	if !errors.Is(err, ErrNotFound) {
		return id, err
	}
	var out struct {
		ID text `json:"experiment_id"`
	}
	err = c.post(ctx, "experiments/create", map[string]string{"name": name}, &out)
	if errors.Is(err, ErrExists) { // made by someone else meanwhile, or deleted
		if id, again := c.experiment(ctx, name); again == nil {
			return id, nil
		}
		return "", fmt.Errorf("experiment %q was deleted; restore it, or use another name: %w", name, err)
	}
	return string(out.ID), err
}

// Experiments are the ids of the experiments that exist, by name; deleted ones do not.
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

// experiment is the id of one that is not deleted; else ErrNotFound.
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
