package mlflow

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// Version is one version of a registered model.
type Version struct {
	Model, Version string
	RunID          string // the run that made it; "" where it is not known
	Source         string // where its files lie, as in runs:/RUN/model
	Stage          string // None, Staging, Production or Archived
	Status         string // READY, PENDING_REGISTRATION or FAILED_REGISTRATION
	Created        time.Time
	Aliases        []string // only some servers say them in a list of versions: see Model
	Tags           map[string]string
}

// Ready is the status of a version that can be used.
const Ready = "READY"

type wireVersion struct {
	Name    string   `json:"name"`
	Version text     `json:"version"`
	RunID   string   `json:"run_id"`
	Source  string   `json:"source"`
	Stage   string   `json:"current_stage"`
	Status  string   `json:"status"`
	Created integer  `json:"creation_timestamp"`
	Aliases []string `json:"aliases"`
	Tags    []pair   `json:"tags"`
}

func (w *wireVersion) version() Version {
	return Version{
		Model: w.Name, Version: string(w.Version), RunID: w.RunID, Source: w.Source, Stage: w.Stage, Status: w.Status,
		Created: w.Created.moment(), Aliases: w.Aliases, Tags: unpack(w.Tags),
	}
}

// oneVersion is the body of an answer with one version.
type oneVersion struct {
	Version wireVersion `json:"model_version"`
}

// CreateVersion adds a version to a registered model. The server assigns its number.
func (c *Client) CreateVersion(ctx context.Context, model, source, runID string, tags map[string]string) (Version, error) {
	in := struct {
		Name   string `json:"name"`
		Source string `json:"source"`
		RunID  string `json:"run_id,omitempty"`
		Tags   []pair `json:"tags,omitempty"`
	}{model, source, runID, pack(tags)}
	var out oneVersion
	err := c.post(ctx, "model-versions/create", in, &out)
	return out.Version.version(), err
}

// Version returns the version of a number.
func (c *Client) Version(ctx context.Context, model, version string) (Version, error) {
	var out oneVersion
	err := c.get(ctx, "model-versions/get", url.Values{"name": {model}, "version": {version}}, &out)
	return out.Version.version(), err
}

// SearchVersions returns the versions that match a filter in MLflow's grammar, as in name =
// 'digits': at most max of them, or all if max is 0.
func (c *Client) SearchVersions(ctx context.Context, filter string, orderBy []string, most int) ([]Version, error) {
	var all []Version
	asked := pages{}
	for token := ""; ; {
		size := pageSize
		if most > 0 {
			size = min(size, most-len(all))
		}
		ask := url.Values{"filter": {filter}, "max_results": {strconv.Itoa(size)}, "order_by": orderBy}
		if token != "" {
			ask.Set("page_token", token)
		}
		var page struct {
			Versions []wireVersion `json:"model_versions"`
			Next     string        `json:"next_page_token"`
		}
		if err := c.get(ctx, "model-versions/search", ask, &page); err != nil {
			return nil, err
		}
		for i := range page.Versions {
			all = append(all, page.Versions[i].version())
			if len(all) == most {
				return all, nil
			}
		}
		more, err := asked.next("model-versions/search", page.Next)
		if err != nil {
			return nil, err
		}
		if !more {
			return all, nil
		}
		token = page.Next
	}
}

// SetVersionTag sets a tag of a version.
func (c *Client) SetVersionTag(ctx context.Context, model, version, key, value string) error {
	return c.post(ctx, "model-versions/set-tag", map[string]string{"name": model, "version": version, "key": key, "value": value}, nil)
}

// DeleteVersionTag deletes a tag of a version.
func (c *Client) DeleteVersionTag(ctx context.Context, model, version, key string) error {
	return c.call(ctx, http.MethodDelete, "model-versions/delete-tag", map[string]string{"name": model, "version": version, "key": key}, nil)
}
