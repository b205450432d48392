package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/scanflow-k8s/scanflow/actuators"
	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/manifest"
	"github.com/scanflow-k8s/scanflow/engine/queue"
)

// previewVerbs returns all verbs. Nothing here plans verbs that act on workloads or on the
// tracker, since that needs a running process.
func previewVerbs(*queue.Router) map[string]engine.Verb {
	out := actuators.Offer(actuators.Env{Publish: func(context.Context, engine.Event) error {
		return errors.New("nothing is sent from here")
	}})
	for name, kind := range actuators.Verbs {
		if _, planned := out[name]; !planned {
			out[name] = engine.Verb{
				Actuator: unplannable{}, Claim: kind.Claim, Direction: kind.Direction, Deadline: kind.Deadline, OneShot: kind.OneShot,
				Check: func(with map[string]any) []string { return manifest.DecodeMap(with, kind.With()) },
			}
		}
	}
	return out
}

// unplannable is the actuator of a verb that a preview can't plan.
type unplannable struct{}

var errUnplannable = fmt.Errorf("%w: every guard admits it; eval looks at no workloads and no tracker as they are, and `scanflow eval --server` asks the process that does", engine.ErrNotPlanned)

func (unplannable) Plan(context.Context, engine.Proposal) (engine.Change, error) {
	return engine.Change{}, errUnplannable
}

func (unplannable) Apply(context.Context, engine.Change) (engine.Outcome, error) {
	return engine.Outcome{}, errUnplannable
}
