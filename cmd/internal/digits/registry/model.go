package registry

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/scanflow-k8s/scanflow/cmd/internal/digits"
	"github.com/scanflow-k8s/scanflow/engine/mlflow"
)

const (
	// folder is the folder of the model among a run's artifacts.
	folder = "model"
	// file is the model, in its folder.
	file = "model.digits"
)

// Register uploads a model to the run that trained it, and creates the next version of a
// registered model, which it creates if necessary.
func Register(ctx context.Context, c *mlflow.Client, name, runID string, m *digits.Model, tags map[string]string) (mlflow.Version, error) {
	var out bytes.Buffer
	err := m.Write(&out)
	if err == nil {
		err = c.UploadArtifact(ctx, runID, folder+"/"+file, &out)
	}
	if err == nil {
		err = c.EnsureModel(ctx, name)
	}
	if err != nil {
		return mlflow.Version{}, fmt.Errorf("register a version of %s: %w", name, err)
	}
	v, err := c.CreateVersion(ctx, name, "runs:/"+runID+"/"+folder, runID, tags)
	if err != nil {
		return v, fmt.Errorf("register a version of %s: %w", name, err)
	}
	return v, nil
}

// Load fetches the model of a version.
func Load(ctx context.Context, c *mlflow.Client, v mlflow.Version) (*digits.Model, error) {
	runID, path, err := place(v)
	if err != nil {
		return nil, fmt.Errorf("load %s version %s: %w", v.Model, v.Version, err)
	}
	body, err := c.DownloadArtifact(ctx, runID, path+"/"+file)
	if err != nil {
		return nil, fmt.Errorf("load %s version %s: %w", v.Model, v.Version, err)
	}
	m, err := digits.Read(body)
	if err = errors.Join(err, body.Close()); err != nil {
		return nil, fmt.Errorf("load %s version %s: %w", v.Model, v.Version, err)
	}
	return m, nil
}

// place returns the run and the folder that a version's source names.
func place(v mlflow.Version) (runID, path string, err error) {
	rest, is := strings.CutPrefix(v.Source, "runs:/")
	runID, path, _ = strings.Cut(rest, "/")
	if !is || runID == "" || path == "" {
		return "", "", fmt.Errorf("its source is %q, not runs:/RUN/FOLDER, as of the models that `scanflow digits` registers", v.Source)
	}
	return runID, path, nil
}
