package mlflow

import (
	"context"
	"maps"
	"net/url"
	"slices"
	"time"
)

// Run is one execution: of a training, of a detection, of a batch of predictions.
type Run struct {
	ID, ExperimentID, Name string
	// Status is RUNNING, SCHEDULED, FINISHED, FAILED or KILLED.
	Status      string
	ArtifactURI string
	Start, End  time.Time          // zero where there is none
	Metrics     map[string]float64 // the latest value of each
	Params      map[string]string
	Tags        map[string]string
}

// The statuses of a run.
const (
	Running  = "RUNNING"
	Finished = "FINISHED"
	Failed   = "FAILED"
	Killed   = "KILLED"
)

// runName is the tag in which servers before 1.29 keep the name of a run; later ones
// fill it in.
const runName = "mlflow.runName"

// wireRun is a run on the wire.
type wireRun struct {
	Info struct {
		ID           string  `json:"run_id"`
		OldID        string  `json:"run_uuid"`
		Name         string  `json:"run_name"`
		ExperimentID text    `json:"experiment_id"`
		Status       string  `json:"status"`
		Start        integer `json:"start_time"`
		End          integer `json:"end_time"`
		ArtifactURI  string  `json:"artifact_uri"`
	} `json:"info"`
	Data struct {
		Metrics []struct {
			Key   string  `json:"key"`
			Value *double `json:"value"` // nil where nothing was measured
		} `json:"metrics"`
		Params []pair `json:"params"`
		Tags   []pair `json:"tags"`
	} `json:"data"`
}

func (w *wireRun) run() Run {
	r := Run{
		ID: w.Info.ID, ExperimentID: string(w.Info.ExperimentID), Name: w.Info.Name, Status: w.Info.Status, ArtifactURI: w.Info.ArtifactURI,
		Start: w.Info.Start.moment(), End: w.Info.End.moment(),
		Metrics: make(map[string]float64, len(w.Data.Metrics)), Params: unpack(w.Data.Params), Tags: unpack(w.Data.Tags),
	}
	if r.ID == "" {
		r.ID = w.Info.OldID
	}
	if r.Name == "" {
		r.Name = r.Tags[runName]
	}
	for _, m := range w.Data.Metrics {
		if m.Value != nil {
			r.Metrics[m.Key] = float64(*m.Value)
		}
	}
	return r
}

// CreateRun creates a run.
func (c *Client) CreateRun(ctx context.Context, experimentID, name string, tags map[string]string, start time.Time) (Run, error) {
	in := struct {
		ExperimentID string `json:"experiment_id"`
		Name         string `json:"run_name,omitempty"`
		Start        int64  `json:"start_time"`
		Tags         []pair `json:"tags,omitempty"`
	}{ExperimentID: experimentID, Name: name, Start: millis(start), Tags: pack(tags)}
	if _, has := tags[runName]; name != "" && !has {
		in.Tags = append(in.Tags, pair{runName, name})
	}
	var out struct {
		Run wireRun `json:"run"`
	}
	err := c.post(ctx, "runs/create", in, &out)
	return out.Run.run(), err
}

// Run returns the run of an id.
func (c *Client) Run(ctx context.Context, id string) (Run, error) {
	var out struct {
		Run wireRun `json:"run"`
	}
	err := c.get(ctx, "runs/get", url.Values{"run_id": {id}}, &out)
	return out.Run.run(), err
}

// EndRun sets the final status of a run, and its end.
func (c *Client) EndRun(ctx context.Context, runID, status string, end time.Time) error {
	return c.post(ctx, "runs/update", map[string]any{"run_id": runID, "status": status, "end_time": millis(end)}, nil)
}

// SetRunTag sets a tag of a run.
func (c *Client) SetRunTag(ctx context.Context, runID, key, value string) error {
	return c.post(ctx, "runs/set-tag", map[string]string{"run_id": runID, "key": key, "value": value}, nil)
}

// pack returns a map as a list of pairs, sorted by key.
func pack(m map[string]string) []pair {
	var out []pair
	for _, key := range slices.Sorted(maps.Keys(m)) {
		out = append(out, pair{key, m[key]})
	}
	return out
}
