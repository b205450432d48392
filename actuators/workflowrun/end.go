package workflowrun

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/queue"
)

// The types of the events that are published when a run has ended.
const (
	Succeeded = "dev.scanflow.workflow.succeeded"
	Failed    = "dev.scanflow.workflow.failed"
)

// MostOutputs bounds the outputs in an event, in bytes: the journal keeps events until they
// are handled.
const MostOutputs = 16 << 10

// End describes how a run ended.
type End struct {
	Identity  string // of the change that started it
	Namespace string
	Run       string // its name
	ClaimName string // its name in the claim
	Template  string
	Agent     string // that proposed the change, as namespace/name
	Target    engine.TargetID
	Hops      int    // how many events led to the change
	Phase     string // one of Argo's: Succeeded, Failed or Error
	Message   string
	At        time.Time // zero if it is not known
	Outputs   map[string]string
}

func (e *End) succeeded() bool { return e.Phase == "Succeeded" }

// Event returns the event of the end. Its id is the same each time, so that receivers
// drop duplicates. Its time is now if the time of the end is not known.
func (e *End) Event(now time.Time) engine.Event {
	out := engine.Event{
		ID: e.Identity + "-" + strings.ToLower(e.Phase), Source: "/workflows/" + e.Namespace + "/" + e.Run,
		Type: Succeeded, Subject: e.Target.String(), Time: e.At, Hops: e.Hops, Sender: e.Agent,
	}
	if !e.succeeded() {
		out.Type = Failed
	}
	if out.Time.IsZero() {
		out.Time = now
	}
	outputs, left := map[string]any{}, []any{}
	size := 0
	for _, name := range slices.Sorted(maps.Keys(e.Outputs)) {
		if size += len(name) + len(e.Outputs[name]); size > MostOutputs {
			size -= len(name) + len(e.Outputs[name])
			left = append(left, name)
			continue
		}
		outputs[name] = e.Outputs[name]
	}
	data := map[string]any{
		"workflow": e.ClaimName, "template": e.Template, "run": e.Run, "phase": e.Phase, "message": e.Message, "outputs": outputs,
	}
	if len(left) > 0 { // too long to go with the event
		data["outputs_left_out"] = left
	}
	out.Data = data
	return out
}

// Publish publishes the event of the end and returns the outcome of the act. The act stays
// running while the event can't be published, so that it is verified again. detail is the
// outcome's; publish may be nil.
func (e *End) Publish(ctx context.Context, publish func(context.Context, engine.Event) error, detail string, now time.Time) engine.Outcome {
	out := engine.Outcome{Status: engine.Done, Detail: detail}
	if !e.succeeded() {
		out.Status = engine.Failed
	}
	if publish == nil {
		return out
	}
	err := publish(ctx, e.Event(now))
	switch {
	case engine.IsRetryable(err):
		return engine.Outcome{Status: engine.Running, Detail: fmt.Sprintf("%s, and nobody could be told yet: %v", detail, err)}
	case err != nil && !queue.IsUnwanted(err):
		out.Detail += "; " + err.Error()
	}
	return out
}
