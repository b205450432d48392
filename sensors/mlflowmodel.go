package sensors

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/mistake"
	"github.com/scanflow-k8s/scanflow/engine/mlflow"
)

// MLflowModel selects a version of a registered model: by one of alias, stage, version and
// latest.
type MLflowModel struct {
	Name    string `json:"name" required:"true" doc:"name of the registered model, with {name}, {namespace} and {label:NAME} of the target. The value is an object {model, version, run_id, source, stage, aliases, tags, created_ns, metrics, params}, the last two being its run's"`
	Alias   string `json:"alias,omitempty" doc:"the version that this alias names; on a server older than aliases (MLflow 2.3), production and staging are the stages of that name"`
	Stage   string `json:"stage,omitempty" enum:"None,Staging,Production,Archived" doc:"the newest version in this stage, for servers that have no aliases"`
	Version string `json:"version,omitempty" doc:"the version of this number, with the same placeholders"`
	Latest  bool   `json:"latest,omitempty" doc:"the newest version"`
}

// Check returns a version that is selected in two ways, or in none.
func (m *MLflowModel) Check() mistake.Mistakes {
	_, mistakes := m.query()
	return mistakes
}

// modelQuery reads a version. Its arguments are the name, the alias and the version.
type modelQuery struct {
	templates
	*MLflowModel
}

func (m *MLflowModel) query() (mlflowQuery, mistake.Mistakes) {
	q := &modelQuery{MLflowModel: m}
	mistakes := q.add("name", m.Name, unescaped)
	mistakes = append(mistakes, q.add("alias", m.Alias, unescaped)...)
	mistakes = append(mistakes, q.add("version", m.Version, unescaped)...)
	ways := 0
	for _, way := range []bool{m.Alias != "", m.Stage != "", m.Version != "", m.Latest} {
		if way {
			ways++
		}
	}
	if ways != 1 {
		mistakes.Add("", "say which version: one of alias, stage, version and latest", "")
	}
	return q, mistakes
}

func (q *modelQuery) run(ctx context.Context, c *mlflow.Client, at time.Time, args []string) (engine.Signal, error) {
	name, alias, number := args[0], args[1], args[2]
	var v mlflow.Version
	var err error
	switch {
	case q.Alias != "":
		v, err = versionByAlias(ctx, c, name, alias)
	case q.Version != "":
		v, err = c.Version(ctx, name, number)
	default:
		v, err = newestVersion(ctx, c, name, q.Stage)
	}
	switch {
	case errors.Is(err, mlflow.ErrNotFound):
		return engine.Signal{State: engine.Empty, Problem: err.Error()}, nil
	case err != nil:
		return engine.Signal{}, err
	}
	var run mlflow.Run
	if v.RunID != "" {
		run, err = c.Run(ctx, v.RunID)
		if err != nil && !errors.Is(err, mlflow.ErrNotFound) { // a run can be deleted while its model is kept
			return engine.Signal{}, err
		}
	}
	return engine.Signal{State: engine.OK, Value: versionObject(&v, &run), At: at}, nil
}

// versionByAlias returns the version of an alias, or the one in the stage of the same name.
func versionByAlias(ctx context.Context, c *mlflow.Client, name, alias string) (mlflow.Version, error) {
	v, err := c.VersionByAlias(ctx, name, alias)
	if !errors.Is(err, mlflow.ErrNoAliases) {
		return v, err
	}
	stage, has := mlflow.StageOf(alias)
	if !has {
		return v, fmt.Errorf("the tracker knows no aliases, and no stage is called %s; use production or staging, or a newer MLflow", alias)
	}
	return newestVersion(ctx, c, name, stage)
}

// newestVersion returns the ready version with the highest number, in a stage or, for "", in
// any stage.
func newestVersion(ctx context.Context, c *mlflow.Client, name, stage string) (mlflow.Version, error) {
	m, err := c.Model(ctx, name)
	if err != nil {
		return mlflow.Version{}, err
	}
	best, highest := -1, int64(-1)
	for i, v := range m.Latest {
		n, err := strconv.ParseInt(v.Version, 10, 64)
		if err == nil && n > highest && (stage == "" || v.Stage == stage) {
			best, highest = i, n
		}
	}
	if best < 0 {
		return mlflow.Version{}, fmt.Errorf("model %q has no version that is ready%s: %w", name, inStage(stage), mlflow.ErrNotFound)
	}
	v := m.Latest[best]
	for alias, version := range m.Aliases {
		if version == v.Version && !slices.Contains(v.Aliases, alias) {
			v.Aliases = append(v.Aliases, alias)
		}
	}
	return v, nil
}

func inStage(stage string) string {
	if stage == "" {
		return ""
	}
	return " in stage " + stage
}
