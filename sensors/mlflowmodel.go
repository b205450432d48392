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

// MLflowModel says which version of a registered model to read: one of alias, stage,
// version and latest.
type MLflowModel struct {
	Name    string `json:"name" required:"true" doc:"name of the registered model, with {name}, {namespace} and {label:NAME} of the target. The value is an object {model, version, run_id, source, stage, aliases, tags, created_ns, metrics, params}, the last two being its run's"`
	Alias   string `json:"alias,omitempty" doc:"the version that this alias names; on a server older than aliases (MLflow 2.3), production and staging are the stages of that name"`
	Stage   string `json:"stage,omitempty" enum:"None,Staging,Production,Archived" doc:"the newest version in this stage, for servers that have no aliases"`
	Version string `json:"version,omitempty" doc:"the version of this number, with the same placeholders"`
	Latest  bool   `json:"latest,omitempty" doc:"the newest version"`
}

// Check finds a version named twice, or not at all.
func (m *MLflowModel) Check() mistake.Mistakes {
	_, mistakes := m.question()
	return mistakes
}

// modelQuestion asks for a version: name, alias, version.
type modelQuestion struct {
	templates
	*MLflowModel
}

func (m *MLflowModel) question() (question, mistake.Mistakes) {
	q := &modelQuestion{MLflowModel: m}
	mistakes := q.add("name", m.Name, asIs)
	mistakes = append(mistakes, q.add("alias", m.Alias, asIs)...)
	mistakes = append(mistakes, q.add("version", m.Version, asIs)...)
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

func (q *modelQuestion) ask(ctx context.Context, c *mlflow.Client, at time.Time, asked []string) (engine.Signal, error) {
	name, alias, number := asked[0], asked[1], asked[2]
	var v mlflow.Version
	var err error
	switch {
	case q.Alias != "":
		v, err = byAlias(ctx, c, name, alias)
	case q.Version != "":
		v, err = c.Version(ctx, name, number)
	default:
		v, err = newest(ctx, c, name, q.Stage)
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
		if err != nil && !errors.Is(err, mlflow.ErrNotFound) { // a run may be deleted, and its model kept
			return engine.Signal{}, err
		}
	}
	return engine.Signal{State: engine.OK, Value: versionObject(&v, &run), At: at}, nil
}

// byAlias is the version that an alias names, or the stage that stands for it.
func byAlias(ctx context.Context, c *mlflow.Client, name, alias string) (mlflow.Version, error) {
	v, err := c.VersionByAlias(ctx, name, alias)
	if !errors.Is(err, mlflow.ErrNoAliases) {
		return v, err
	}
	stage, has := mlflow.StageOf(alias)
	if !has {
		return v, fmt.Errorf("the tracker knows no aliases, and no stage is called %s; use production or staging, or a newer MLflow", alias)
	}
	return newest(ctx, c, name, stage)
}

// newest is the version of the highest number that is ready, in a stage or, for "",
// in any.
func newest(ctx context.Context, c *mlflow.Client, name, stage string) (mlflow.Version, error) {
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
