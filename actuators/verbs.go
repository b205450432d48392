package actuators

import (
	"context"
	"net/http"
	"time"

	"github.com/scanflow-k8s/scanflow/actuators/kubernetes"
	"github.com/scanflow-k8s/scanflow/actuators/local"
	"github.com/scanflow-k8s/scanflow/actuators/local/orchestrator"
	"github.com/scanflow-k8s/scanflow/actuators/mlflow"
	"github.com/scanflow-k8s/scanflow/actuators/verbparams"
	"github.com/scanflow-k8s/scanflow/actuators/workflowrun"
	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/jsonvalue"
	"github.com/scanflow-k8s/scanflow/engine/manifest"
	tracker "github.com/scanflow-k8s/scanflow/engine/mlflow"
)

// Env holds the clients and functions that actuators are made from.
type Env struct {
	// Local runs workloads as processes. Without it, the verbs that need it are not offered.
	Local *orchestrator.Orchestrator
	// Kubernetes acts on a cluster; nil without one. If Local is set too, verbs act on the
	// cluster.
	Kubernetes *kubernetes.Cluster
	// MLflow is a client of the tracker, without credentials of its own. Without it, the verbs
	// that need it are not offered.
	MLflow *tracker.Client
	// Publish delivers an event to the agents of this process and of its peers, Send to an
	// address.
	Publish func(context.Context, engine.Event) error
	Send    func(context.Context, engine.Event, engine.Destination) error
	// Credentials returns the Authorization header of an agent's requests to an address; ""
	// sends none. The error names the reference, never the secret.
	Credentials func(ctx context.Context, agent, url string) (string, error)
	// Call queues the request of an act in the outbox, which sends it by a WebhookClient.
	Call func(ctx context.Context, e engine.Event, c engine.Change, url string) error
	// Headers returns the other headers of such a request: those that may be shown, and
	// those that are secret. The error names the reference, never the secret.
	Headers func(ctx context.Context, agent, url string) (plain, secret http.Header, err error)
	// Now returns the time that is written into events.
	Now func() time.Time
}

// Kind describes one verb.
type Kind struct {
	// With returns a pointer to an empty struct of the verb's parameters.
	With func() any
	// Claim returns the field that the verb writes; nil if it writes none.
	Claim     func(with map[string]any) string
	Direction func(p engine.Proposal) engine.Direction
	Deadline  time.Duration
	OneShot   bool
	// Delivered is as in engine.Verb.
	Delivered bool
	// Transient is as in engine.Verb.
	Transient bool
	// New returns the actuator, or nil if the environment has nothing for it to act on.
	New func(Env) engine.Actuator
	// Needs returns the permissions that the verb needs on a cluster. It is nil if there are
	// none, or if they don't follow from the manifest (`apply`: scanflow rbac --apply names the
	// kinds).
	Needs func(kubernetes.Subject, map[string]any) []kubernetes.Need
}

// Verbs maps each verb to its actuators.
var Verbs = map[string]Kind{
	"scale":          {With: params[verbparams.Scale], Claim: claim("replicas"), Direction: scaleDirection, New: on(local.Scale, kubernetes.Scale), Needs: kubernetes.ScaleNeeds},
	"autoscaler":     {With: params[verbparams.Autoscaler], Claim: claim("replicas"), New: on(nil, kubernetes.Autoscaler), Needs: kubernetes.AutoscalerNeeds},
	"place":          {With: params[verbparams.Place], Claim: claim("placement"), Deadline: rollout, New: on(local.Place, kubernetes.Place), Needs: kubernetes.PlaceNeeds},
	"traffic":        {With: params[verbparams.Traffic], Claim: claim("traffic"), New: on(local.Traffic, kubernetes.Traffic), Needs: kubernetes.TrafficNeeds},
	"restart":        {With: params[verbparams.Restart], Claim: claim("pods"), Deadline: rollout, New: on(local.Restart, kubernetes.Restart), Needs: kubernetes.RestartNeeds},
	"model.serve":    {With: params[verbparams.ModelServe], Claim: claim("model"), Deadline: rollout, New: on(local.ModelServe, kubernetes.ModelServe), Needs: kubernetes.ModelNeeds},
	"workflow.run":   {With: params[verbparams.WorkflowRun], Claim: workflowrun.Claim, Transient: true, Deadline: workflowrun.Deadline, New: newWorkflowRun, Needs: kubernetes.WorkflowNeeds},
	"apply":          {With: params[verbparams.Apply], Claim: verbparams.ApplyClaim, New: on(nil, kubernetes.Apply)},
	"model.promote":  {With: params[verbparams.ModelPromote], Claim: verbparams.ModelClaim, Deadline: publishing, OneShot: true, New: inRegistry(mlflow.Promote)},
	"model.rollback": {With: params[verbparams.ModelRollback], Claim: verbparams.ModelClaim, Deadline: publishing, OneShot: true, New: inRegistry(mlflow.Rollback)},
	"run.tag":        {With: params[verbparams.RunTag], OneShot: true, New: inRegistry(mlflow.Tag)},
	"annotate":       {With: params[verbparams.Annotate], New: on(nil, kubernetes.Annotate), Needs: kubernetes.AnnotateNeeds},
	"webhook":        {With: params[webhookParams], OneShot: true, Delivered: true, Deadline: engine.DeliveryTimeout, New: newWebhook},
	"event.send":     {With: params[eventParams], OneShot: true, Deadline: engine.DeliveryTimeout, New: newEvent},
}

// publishing bounds an act whose writes take a moment, and whose event may have to wait.
const publishing = 5 * time.Minute

// rollout bounds an act that replaces the pods of a workload.
const rollout = 5 * time.Minute

// Offer returns the verbs that an environment has actuators for.
func Offer(env Env) map[string]engine.Verb {
	out := map[string]engine.Verb{}
	for name, kind := range Verbs {
		actuator := kind.New(env)
		if actuator == nil {
			continue
		}
		out[name] = engine.Verb{
			Actuator: actuator, Claim: kind.Claim, Direction: kind.Direction, Deadline: kind.Deadline, OneShot: kind.OneShot, Delivered: kind.Delivered, Transient: kind.Transient,
			Check: func(with map[string]any) []string { return manifest.DecodeMap(with, kind.With()) },
		}
	}
	return out
}

// Parameters maps each verb to its With, for manifest.Kinds.
func Parameters() map[string]func() any {
	out := map[string]func() any{}
	for name, kind := range Verbs {
		out[name] = kind.With
	}
	return out
}

func params[T any]() any { return new(T) }

func claim(name string) func(map[string]any) string {
	return func(map[string]any) string { return name }
}

// on returns a constructor that picks the actuator of the orchestrator in use. A nil argument
// is an orchestrator that doesn't have the verb.
func on(locally func(*orchestrator.Orchestrator) engine.Actuator, inCluster func(*kubernetes.Cluster) engine.Actuator) func(Env) engine.Actuator {
	return func(env Env) engine.Actuator {
		switch {
		case env.Kubernetes != nil && inCluster != nil:
			return inCluster(env.Kubernetes)
		case env.Kubernetes == nil && env.Local != nil && locally != nil:
			return locally(env.Local)
		}
		return nil
	}
}

func newWorkflowRun(env Env) engine.Actuator {
	return on(func(o *orchestrator.Orchestrator) engine.Actuator { return local.WorkflowRun(o, env.Publish) }, kubernetes.WorkflowRun)(env)
}

// inRegistry returns the constructor of a verb that writes to the tracker.
func inRegistry(build func(*mlflow.Registry) engine.Actuator) func(Env) engine.Actuator {
	return func(env Env) engine.Actuator {
		if env.MLflow == nil {
			return nil
		}
		return build(&mlflow.Registry{Client: env.MLflow, Credentials: env.Credentials, Headers: env.Headers, Publish: env.Publish, Now: env.Now})
	}
}

// scaleDirection compares the proposed replicas with the desired ones.
func scaleDirection(p engine.Proposal) engine.Direction {
	want, isNumber := jsonvalue.Float(p.With["replicas"])
	switch {
	case !isNumber || p.Target.Replicas == nil:
		return ""
	case want > float64(p.Target.Replicas.Desired):
		return engine.Up
	case want < float64(p.Target.Replicas.Desired):
		return engine.Down
	}
	return ""
}
