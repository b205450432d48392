package mlflow

import (
	"context"
	"errors"
	"net/url"
)

// Model is a registered model.
type Model struct {
	Name string
	// Aliases maps each alias to its version; empty on a server without aliases.
	Aliases map[string]string
	// Latest has the newest READY version of each stage.
	Latest []Version
	Tags   map[string]string
}

// EnsureModel registers a model, unless it is there.
func (c *Client) EnsureModel(ctx context.Context, name string) error {
	err := c.post(ctx, "registered-models/create", map[string]string{"name": name}, nil)
	if errors.Is(err, ErrExists) {
		return nil
	}
	return err
}

// Model returns a registered model with its aliases.
func (c *Client) Model(ctx context.Context, name string) (Model, error) {
	var out struct {
		Model struct {
			Name    string        `json:"name"`
			Latest  []wireVersion `json:"latest_versions"`
			Tags    []pair        `json:"tags"`
			Aliases []struct {
				Alias   string `json:"alias"`
				Version text   `json:"version"`
			} `json:"aliases"`
		} `json:"registered_model"`
	}
	if err := c.get(ctx, "registered-models/get", url.Values{"name": {name}}, &out); err != nil {
		return Model{}, err
	}
	m := Model{Name: out.Model.Name, Aliases: make(map[string]string, len(out.Model.Aliases)), Tags: unpack(out.Model.Tags)}
	for _, a := range out.Model.Aliases {
		m.Aliases[a.Alias] = string(a.Version)
	}
	for i := range out.Model.Latest {
		m.Latest = append(m.Latest, out.Model.Latest[i].version())
	}
	return m, nil
}
