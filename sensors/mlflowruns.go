package sensors

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/mistake"
	"github.com/scanflow-k8s/scanflow/engine/mlflow"
)

// MLflowRuns selects runs, and what to read from them.
type MLflowRuns struct {
	Experiment string   `json:"experiment" required:"true" doc:"name of the experiment, with {name}, {namespace} and {label:NAME} of the target; one that doesn't exist gives no value"`
	Filter     string   `json:"filter,omitempty" doc:"which runs, in MLflow's filter grammar, as in attributes.status = 'FINISHED' and tags.app = '{name}'; with the same placeholders; all if absent"`
	OrderBy    []string `json:"orderBy,omitempty" doc:"which run is the first, as in metrics.accuracy DESC; the latest start if absent"`
	Take       string   `json:"take" required:"true" enum:"run,metric,param,tag,sum,count" doc:"run: the first run, as an object {run_id, name, status, start_ns, end_ns, metrics, params, tags}; metric, param or tag: one of the first run; sum: of the last value of a metric over all runs that have it; count: of the runs. Without any run, sum and count are 0, and the others have no value"`
	Of         string   `json:"of,omitempty" doc:"with metric, param, tag and sum: its name"`
	Type       string   `json:"type,omitempty" enum:"string,number" doc:"with param and tag, which are texts: number makes a number of it, and an error of a text that is none; a string if absent"`
}

// Check returns invalid templates, and fields that don't go with take.
func (r *MLflowRuns) Check() mistake.Mistakes {
	_, mistakes := r.query()
	return mistakes
}

func (r *MLflowRuns) valueType() string {
	switch r.Take {
	case "run":
		return "object"
	case "param", "tag":
		return cmp.Or(r.Type, "string")
	}
	return "number"
}

// runsQuery searches for runs. Its arguments are the experiment, the filter, and each order.
type runsQuery struct {
	templates
	*MLflowRuns
	totals *runTotalsCache
}

func (r *MLflowRuns) query() (mlflowQuery, mistake.Mistakes) {
	q := &runsQuery{MLflowRuns: r, totals: &runTotalsCache{}}
	mistakes := q.add("experiment", r.Experiment, unescaped)
	mistakes = append(mistakes, q.add("filter", r.Filter, inFilter)...)
	for i, order := range r.OrderBy {
		mistakes = append(mistakes, q.add(fmt.Sprintf("orderBy[%d]", i), order, inFilter)...)
	}
	named := slices.Contains([]string{"metric", "param", "tag", "sum"}, r.Take)
	switch {
	case named && r.Of == "":
		mistakes.Add("of", "say which "+r.Take+" to take", "")
	case !named && r.Of != "":
		mistakes.Add("of", "goes with take: metric, param, tag or sum", "drop it, or change take")
	}
	if r.Type != "" && r.Take != "param" && r.Take != "tag" {
		mistakes.Add("type", "goes with take: param or tag", "drop it, or change take")
	}
	if len(r.OrderBy) > 0 && (r.Take == "sum" || r.Take == "count") {
		mistakes.Add("orderBy", "makes no difference to a "+r.Take, "drop it")
	}
	return q, mistakes
}

func (q *runsQuery) run(ctx context.Context, c *mlflow.Client, at time.Time, args []string) (engine.Signal, error) {
	experiments, err := c.Experiments(ctx, args[:1])
	if err != nil {
		return engine.Signal{}, err
	}
	id, exists := experiments[args[0]]
	if !exists {
		return engine.Signal{State: engine.Empty, Problem: fmt.Sprintf("there is no experiment %q", args[0])}, nil
	}
	search := mlflow.Search{ExperimentIDs: []string{id}, Filter: args[1]}
	if q.Take == "sum" || q.Take == "count" {
		return q.total(ctx, c, at, search)
	}
	search.OrderBy, search.Max = args[2:], 1
	runs, err := c.SearchRuns(ctx, search)
	if err != nil {
		return engine.Signal{}, err
	}
	if len(runs) == 0 {
		return engine.Signal{State: engine.Empty, Problem: fmt.Sprintf("no run of experiment %q matches", args[0])}, nil
	}
	return q.signal(&runs[0], at), nil
}

func (q *runsQuery) total(ctx context.Context, c *mlflow.Client, at time.Time, search mlflow.Search) (engine.Signal, error) {
	tally := q.totals.get(search.ExperimentIDs[0]+"\xff"+search.Filter, at)
	all, err := tally.total(ctx, c, at, search, q.Of)
	if err != nil {
		return engine.Signal{}, err
	}
	if q.Take == "count" {
		return engine.Signal{State: engine.OK, Value: float64(all.runs), At: at}, nil
	}
	out := engine.Signal{State: engine.OK, Value: all.sum, At: at}
	return finiteSignal(out, fmt.Sprintf("the sum of metric %q", q.Of)), nil
}

// signal reads the selected value from a run. It has the time at which the run ended, or that
// of the sample while the run is active.
func (q *runsQuery) signal(r *mlflow.Run, at time.Time) engine.Signal {
	out := engine.Signal{State: engine.OK, At: at}
	if !r.End.IsZero() && r.End.Before(at) {
		out.At = r.End
	}
	has := false
	switch q.Take {
	case "metric":
		out.Value, has = lookup(r.Metrics, q.Of)
	case "param":
		out.Value, has = lookup(r.Params, q.Of)
	case "tag":
		out.Value, has = lookup(r.Tags, q.Of)
	default:
		out.Value, has = runObject(r), true
	}
	if !has {
		return engine.Signal{State: engine.Empty, Problem: fmt.Sprintf("run %s has no %s %q", r.ID, q.Take, q.Of)}
	}
	text, isText := out.Value.(string)
	if isText && q.Type == "number" {
		f, err := parseNumber(text)
		switch n := errBeyondFloat(""); {
		case errors.As(err, &n):
			return engine.Signal{State: engine.Error, Problem: fmt.Sprintf("%s %q of run %s: %v; leave out type: number", q.Take, q.Of, r.ID, n)}
		case err != nil:
			return engine.Signal{State: engine.Error, Problem: fmt.Sprintf("%s %q of run %s is no number", q.Take, q.Of, r.ID)}
		}
		out.Value = f
	}
	return finiteSignal(out, fmt.Sprintf("%s %q of run %s", q.Take, q.Of, r.ID))
}

func lookup[V any](m map[string]V, key string) (any, bool) {
	v, has := m[key]
	return v, has
}
