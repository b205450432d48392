package local_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/actuators"
	"github.com/scanflow-k8s/scanflow/actuators/local/orchestrator"
	"github.com/scanflow-k8s/scanflow/actuators/workflowrun"
	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/journal"
	"github.com/scanflow-k8s/scanflow/engine/loop"
	"github.com/scanflow-k8s/scanflow/engine/policy"
	"github.com/scanflow-k8s/scanflow/engine/policy/source"
	"github.com/scanflow-k8s/scanflow/engine/queue"
)

const (
	// digits runs sleep: model.serve needs its pods only to be replaced.
	workloads = `
apiVersion: apps/v1
kind: Deployment
metadata: {name: digits, namespace: test, labels: {app: digits}}
spec:
  selector: {matchLabels: {app: digits}}
  template:
    metadata: {labels: {app: digits}}
    spec:
      terminationGracePeriodSeconds: 0
      containers: [{name: server, command: [sleep, "600"], env: [{name: MODEL_URI, value: "models:/digits/3"}]}]
---
apiVersion: argoproj.io/v1alpha1
kind: WorkflowTemplate
metadata: {name: retrain, namespace: test}
spec:
  entrypoint: train
  arguments: {parameters: [{name: round}]}
  templates:
    - name: train
      outputs: {parameters: [{name: version, valueFrom: {path: /tmp/version}}]}
      container: {command: [sh, -c, "echo begun >>HOLD; until [ -e HOLD.go ]; do sleep 0.01; done; echo {{workflow.parameters.round}} >{{outputs.parameters.version.path}}"]}
`
	// train runs the workflow while the old model is served; serve acts on the event of its end.
	train = `package scanflow.strategies.t.train

propose contains {"primitive": "workflow.run", "with": {"template": "retrain", "parameters": {"round": "4"}}, "reason": "old", "because": []} if {
	not input.target.model
}
`
	serve = `package scanflow.strategies.t.serve

propose contains p if {
	version := input.trigger.event.data.outputs.version
	p := {"primitive": "model.serve", "with": {"uri": concat("/", ["models:", "digits", version]), "version": version, "env": "MODEL_URI"}, "reason": "trained", "because": []}
}
`
)

// daemon is a host of agents over a local orchestrator.
type daemon struct {
	t     *testing.T
	local *orchestrator.Orchestrator
	host  *loop.Manager
	book  *journal.Journal

	mu   sync.Mutex
	acts []engine.Act
}

func (d *daemon) Fired(engine.FiringRecord) {}

func (d *daemon) Acted(a engine.Act) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.acts = append(d.acts, a)
}

// ended returns the outcomes of a verb's acts.
func (d *daemon) ended(verb string) (out []engine.Outcome) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, a := range d.acts {
		if a.Primitive == verb {
			out = append(out, a.Outcome)
		}
	}
	return out
}

// begin starts a daemon.
func begin(t *testing.T, dir, yaml string) *daemon {
	t.Helper()
	d := &daemon{t: t}
	policies := policy.NewStore(source.FromFS(fstest.MapFS{"train.rego": {Data: []byte(train)}, "serve.rego": {Data: []byte(serve)}}), policy.StoreOptions{})
	require.NoError(t, policies.Load(t.Context()))
	var err error
	d.book, err = journal.Open(t.Context(), filepath.Join(dir, "journal"), journal.Options{})
	require.NoError(t, err)
	d.local, err = orchestrator.New(orchestrator.Options{StateDir: filepath.Join(dir, "local"), RandomPorts: true})
	require.NoError(t, err)
	w, err := orchestrator.ReadBytes("workloads.yaml", []byte(yaml))
	require.NoError(t, err)
	require.NoError(t, d.local.Apply(t.Context(), w))
	d.host = loop.New(loop.Config{
		Journal: d.book, Policies: policies, Observer: d, Grace: 100 * time.Millisecond,
		Verbs: func(r *queue.Router) map[string]engine.Verb {
			return actuators.Offer(actuators.Env{Local: d.local, Publish: r.Publish, Now: time.Now})
		},
	})
	fleet, err := d.local.Fleet(engine.Selector{Kind: "Deployment"})
	require.NoError(t, err)
	agent := func(name, strategy, verb string, trigger engine.Trigger) engine.Spec {
		return engine.Spec{
			AgentInfo: engine.AgentInfo{Namespace: "test", Name: name}, Mode: engine.Enforce, Fleet: fleet, Triggers: []engine.Trigger{trigger},
			Strategies: []string{strategy}, Primitives: []string{verb}, Generation: "1",
			// Under load a tick may come between the end of the run and the serving of its model.
			Guards: engine.Guards{Cooldown: map[string]time.Duration{"workflow.run": time.Hour}},
		}
	}
	d.host.Apply([]engine.Spec{
		agent("checker", "t.train", "workflow.run", engine.Trigger{Name: "tick", Every: 50 * time.Millisecond}),
		agent("planner", "t.serve", "model.serve", engine.Trigger{Name: "trained", Event: &engine.EventFilter{Types: []string{workflowrun.Succeeded}, From: []string{"test/checker"}}}),
	})
	return d
}

func (d *daemon) end(how orchestrator.Ending) {
	d.t.Helper()
	d.host.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	require.NoError(d.t, d.local.Close(ctx, how))
	require.NoError(d.t, d.book.Close())
}

func (d *daemon) model() string {
	d.t.Helper()
	fleet, err := d.local.Fleet(engine.Selector{Kind: "Deployment"})
	require.NoError(d.t, err)
	targets, err := fleet.Targets(d.t.Context())
	require.NoError(d.t, err)
	return targets[0].Model
}

func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	require.Eventually(t, ok, 20*time.Second, 10*time.Millisecond, what)
}

// An agent starts a workflow that trains a model and outlives the daemon. The next daemon
// publishes the event of its end, on which another agent serves the model.
func TestAgentsTrainAndServeAcrossARestart(t *testing.T) {
	dir, hold := t.TempDir(), filepath.Join(t.TempDir(), "hold")
	yaml := strings.ReplaceAll(workloads, "HOLD", hold)
	first := begin(t, dir, yaml)
	until(t, "the workflow runs", func() bool { _, err := os.Stat(hold); return err == nil })
	require.Empty(t, first.ended("workflow.run"), "a long act ends when the run does")
	first.end(orchestrator.Detach)

	second := begin(t, dir, yaml)
	stopped := false
	defer func() {
		if !stopped {
			second.end(orchestrator.StopAll)
		}
	}()
	require.Len(t, second.local.Runs(), 1, "it goes on")
	require.NoError(t, os.WriteFile(hold+".go", nil, 0o600))
	until(t, "it is served", func() bool { return len(second.ended("model.serve")) == 1 })
	require.Equal(t, engine.Outcome{Status: engine.Done, Detail: "1 of 1 ready", Applied: true}, second.ended("model.serve")[0])
	require.Equal(t, []engine.Outcome{{Status: engine.Done, Detail: "Succeeded, 1/1", Applied: true}}, second.ended("workflow.run"))
	require.Equal(t, "4", second.model())
	raw, err := os.ReadFile(hold)
	require.NoError(t, err)
	require.Equal(t, "begun\n", string(raw), "once, however often it was proposed and whoever followed it")
	require.Equal(t, map[string]string{"version": "4"}, second.local.Runs()[0].Outputs)
	stopped = true
	second.end(orchestrator.StopAll)
}
