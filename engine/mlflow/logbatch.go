package mlflow

import (
	"context"
	"fmt"
	"time"
)

// Metric is one measured value.
type Metric struct {
	Key   string
	Value float64 // may be NaN or an infinity
	At    time.Time
	Step  int64
}

// The most that MLflow takes in one runs/log-batch.
const (
	mostParams = 100
	mostTags   = 100
	mostItems  = 1000 // with the metrics, which may fill it alone
	// mostText bounds the params and tags of a request, in bytes: the whole may have 1 MiB.
	mostText = 512 << 10
)

type wireMetric struct {
	Key   string `json:"key"`
	Value double `json:"value"`
	At    int64  `json:"timestamp"`
	Step  int64  `json:"step"`
}

type wireBatch struct {
	RunID   string       `json:"run_id"`
	Metrics []wireMetric `json:"metrics,omitempty"`
	Params  []pair       `json:"params,omitempty"`
	Tags    []pair       `json:"tags,omitempty"`
}

// LogBatch writes metrics, params and tags of a run, in as many requests as MLflow's
// limits ask for. After an error some may have been written; writing all again is
// right, as equal ones are kept once, but a param can't be changed once it is there.
func (c *Client) LogBatch(ctx context.Context, runID string, metrics []Metric, params, tags map[string]string) error {
	list := make([]wireMetric, len(metrics))
	for i, m := range metrics {
		if m.At.IsZero() {
			return fmt.Errorf("metric %q has no time; set At", m.Key)
		}
		list[i] = wireMetric{m.Key, double(m.Value), m.At.UnixMilli(), m.Step}
	}
	for p, t := pack(params), pack(tags); len(list)+len(p)+len(t) > 0; {
		batch := wireBatch{RunID: runID}
		room := mostText
		batch.Params, p = cut(p, mostParams, &room)
		batch.Tags, t = cut(t, mostTags, &room)
		n := min(len(list), mostItems-len(batch.Params)-len(batch.Tags))
		batch.Metrics, list = list[:n], list[n:]
		if err := c.post(ctx, "runs/log-batch", batch, nil); err != nil {
			return err
		}
	}
	return nil
}

// cut takes from the front of a list what there is room for. One that is longer than
// all the room there is goes too, into a request of its own, for the server to refuse.
func cut(list []pair, most int, room *int) (head, rest []pair) {
	n := 0
	for n < len(list) && n < most {
		size := len(list[n].Key) + len(list[n].Value)
		if size > *room && *room < mostText {
			break
		}
		*room -= size
		n++
	}
	return list[:n], list[n:]
}
