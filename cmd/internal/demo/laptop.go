package demo

import (
	"context"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/scanflow-k8s/scanflow/actuators/local"
	"github.com/scanflow-k8s/scanflow/cmd/internal/app"
	"github.com/scanflow-k8s/scanflow/engine"
)

// laptop runs a study on this machine: each pod is a process.
type laptop struct {
	dir string
	sys *app.App
	// endFormula ends what scaleByHPA has begun; nil where it has not.
	endFormula context.CancelFunc
}

func newLaptop(dir string) *laptop { return &laptop{dir: dir} }

func (l *laptop) start(ctx context.Context, tb *testbed) (err error) {
	o := tb.o
	options := app.Options{
		Manifests: []string{tb.files.agents}, Policies: tb.files.policies, Workloads: []string{tb.files.workloads}, Data: filepath.Join(l.dir, "data"),
		Local:    local.Options{Self: o.Self, RandomPorts: true, BackOff: time.Second / 2, KillWithParent: true, Seed: o.Seed, Nodes: tb.study.nodes},
		StopPods: true, Prometheus: tb.promURL, MLflow: tb.study.mlflow, Log: o.Log,
	}
	l.sys, err = startApp(ctx, options, tb.narrator, tb.acts)
	return err
}

func (l *laptop) orchestrator() sighted { return l.sys.Local }
func (l *laptop) system() *app.App      { return l.sys }

func (l *laptop) entrance(_ context.Context, study, route string) (string, error) {
	address, known := l.sys.Local.Address("HTTPRoute", study, route)
	if !known {
		return "", fmt.Errorf("there is no HTTPRoute %s/%s", study, route)
	}
	return address, nil
}

func (l *laptop) metrics(ctx context.Context, tb *testbed) (string, error) {
	registry := prometheus.NewRegistry()
	if err := registry.Register(l.sys.Local.Collector()); err != nil {
		return "", err
	}
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
	url, err := tb.serve(ctx, mux)
	return strings.TrimPrefix(url, "http://"), err
}

func (l *laptop) scale(ctx context.Context, id engine.TargetID, replicas int) error {
	return carryOut(ctx, local.ScaleActuator(l.sys.Local), engine.Proposal{
		Primitive: "scale", With: map[string]any{"replicas": replicas},
		Target: engine.Target{APIVersion: "apps/v1", Kind: id.Kind, Namespace: id.Namespace, Name: id.Name},
	})
}

func (l *laptop) submit(ctx context.Context, namespace, template string) error {
	return carryOut(ctx, local.WorkflowRunActuator(l.sys.Local), engine.Proposal{
		Primitive: "workflow.run", With: map[string]any{"template": template}, Identity: "byhand",
		Target: engine.Target{APIVersion: "argoproj.io/v1alpha1", Kind: "WorkflowTemplate", Namespace: namespace, Name: template},
	})
}

func (l *laptop) kill(_ context.Context, namespace string, p engine.Pod) (death, error) {
	pid, err := l.sys.Local.CrashPod(namespace, p.Name)
	return death{pid, "its process gets SIGKILL"}, err
}

// carryOut carries out a proposal that no agent made.
func carryOut(ctx context.Context, by engine.Actuator, p engine.Proposal) error {
	change, err := by.Plan(ctx, p)
	if err != nil || change.NoOp {
		return err
	}
	_, err = by.Apply(ctx, change)
	return err
}

func (l *laptop) stop(ctx context.Context) error {
	if l.endFormula != nil {
		l.endFormula()
	}
	if l.sys == nil {
		return nil
	}
	return l.sys.Stop(ctx)
}
