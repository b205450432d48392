package demo

import (
	"context"

	"github.com/scanflow-k8s/scanflow/cmd/internal/app"
	"github.com/scanflow-k8s/scanflow/engine"
)

// podOrchestrator is an Orchestrator that lists the pods with some labels, with their nodes.
type podOrchestrator interface {
	engine.Orchestrator
	Pods(matchLabels map[string]string) (
		read func(ctx context.Context, namespaces []string, each func(namespace, name, node string)) error,
		release func(), err error)
}

// platform runs workloads and agents: on this machine, or on a cluster.
type platform interface {
	// start starts the workloads and the agents of the files.
	start(ctx context.Context, tb *testbed) error
	// orchestrator returns the state of the workloads.
	orchestrator() podOrchestrator
	// gatewayAddress is the address at which an HTTPRoute of the study receives requests, as
	// host:port.
	gatewayAddress(ctx context.Context, study, route string) (string, error)
	// metrics is the address of the gateway's own metrics, as host:port.
	metrics(ctx context.Context, tb *testbed) (string, error)
	// scale sets the replicas of a Deployment on behalf of someone other than the agents.
	scale(ctx context.Context, id engine.TargetID, replicas int) error
	// scaleByHPA scales a service like a HorizontalPodAutoscaler, by the requests per second
	// of its pods, until the context or the testbed ends.
	scaleByHPA(ctx context.Context, tb *testbed, service string, each float64) error
	// submit runs a WorkflowTemplate, like a user does.
	submit(ctx context.Context, namespace, template string) error
	// kill kills a pod immediately.
	kill(ctx context.Context, namespace string, p engine.Pod) (podDeath, error)
	// system runs the agents.
	system() *app.App
	stop(ctx context.Context) error
}

// podDeath describes how a pod was killed.
type podDeath struct {
	PID int    `json:"pid,omitempty"` // of the killed process, if known
	How string `json:"how"`
}

// applyProposal plans and applies a proposal that is not from an agent.
func applyProposal(ctx context.Context, by engine.Actuator, p engine.Proposal) error {
	change, err := by.Plan(ctx, p)
	if err != nil || change.NoOp {
		return err
	}
	_, err = by.Apply(ctx, change)
	return err
}

// startApp runs the agents of a demo, with observers.
func startApp(ctx context.Context, o app.Options, observers ...engine.Observer) (*app.App, error) {
	a, err := app.New(o)
	if err != nil {
		return nil, err
	}
	return a, a.Start(ctx, observers...)
}
