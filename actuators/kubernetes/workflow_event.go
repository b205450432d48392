package kubernetes

import (
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/scanflow-k8s/scanflow/engine"
)

// The types of the events by which agents learn of a run's end.
const (
	WorkflowSucceeded = "dev.scanflow.workflow.succeeded"
	WorkflowFailed    = "dev.scanflow.workflow.failed"
)

// mostOutputs bounds the outputs in an event, in bytes: events are kept until they
// are handled.
const mostOutputs = 16 << 10

// event tells of a run's end. Its id is the same however often it is sent.
func (p *workflowPlan) event(s *runState, now time.Time) engine.Event {
	e := engine.Event{
		ID: p.Identity + "-" + strings.ToLower(s.phase), Source: "/workflows/" + p.Namespace + "/" + p.Name,
		Type: WorkflowSucceeded, Subject: p.Target.String(), Time: s.endedAt,
	}
	if !s.succeeded() {
		e.Type = WorkflowFailed
	}
	if e.Time.IsZero() {
		e.Time = now
	}
	outputs, left := map[string]any{}, []any{}
	size := 0
	for _, name := range slices.Sorted(maps.Keys(s.outputs)) {
		if size += len(name) + len(s.outputs[name]); size > mostOutputs {
			size -= len(name) + len(s.outputs[name])
			left = append(left, name)
			continue
		}
		outputs[name] = s.outputs[name]
	}
	data := map[string]any{
		"workflow": p.Called, "template": p.Template.Name, "run": p.Name, "phase": s.phase, "message": s.message, "outputs": outputs,
	}
	if len(left) > 0 { // too long to go with the event
		data["outputs_left_out"] = left
	}
	e.Data = data
	return e
}
