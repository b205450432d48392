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
	"github.com/scanflow-k8s/scanflow/actuators/local/orchestrator"
	"github.com/scanflow-k8s/scanflow/cmd/internal/app"
	"github.com/scanflow-k8s/scanflow/engine"
)

// laptopPlatform runs a study on this machine, with a process for each pod.
type laptopPlatform struct {
	dir string
	sys *app.App
	// stopHPAFormula stops what scaleByHPA has started; nil before.
	stopHPAFormula context.CancelFunc
}

func newLaptopPlatform(dir string) *laptopPlatform { return &laptopPlatform{dir: dir} }

func (l *laptopPlatform) start(ctx context.Context, tb *testbed) (err error) {
	o := tb.o
	options := app.Options{
		Manifests: []string{tb.files.agents}, Policies: tb.files.policies, Workloads: []string{tb.files.workloads}, Data: filepath.Join(l.dir, "data"),
		Local:    orchestrator.Options{Self: o.Self, RandomPorts: true, BackOff: time.Second / 2, KillWithParent: true, Seed: o.Seed, Nodes: tb.study.nodes},
		StopPods: true, Prometheus: tb.promURL, MLflow: tb.study.mlflow, Log: o.Log,
	}
	l.sys, err = startApp(ctx, options, tb.narrator, tb.acts)
	return err
}

func (l *laptopPlatform) orchestrator() podOrchestrator { return l.sys.Local }
func (l *laptopPlatform) system() *app.App              { return l.sys }

func (l *laptopPlatform) gatewayAddress(_ context.Context, study, route string) (string, error) {
	address, known := l.sys.Local.Address("HTTPRoute", study, route)
	if !known {
		return "", fmt.Errorf("there is no HTTPRoute %s/%s", study, route)
	}
	return address, nil
}

func (l *laptopPlatform) metrics(ctx context.Context, tb *testbed) (string, error) {
	registry := prometheus.NewRegistry()
	if err := registry.Register(l.sys.Local.Collector()); err != nil {
		return "", err
	}
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
	url, err := tb.serve(ctx, mux)
	return strings.TrimPrefix(url, "http://"), err
}

func (l *laptopPlatform) scale(ctx context.Context, id engine.TargetID, replicas int) error {
	return applyProposal(ctx, local.Scale(l.sys.Local), engine.Proposal{
		Primitive: "scale", With: map[string]any{"replicas": replicas},
		Target: engine.Target{APIVersion: "apps/v1", Kind: id.Kind, Namespace: id.Namespace, Name: id.Name},
	})
}

func (l *laptopPlatform) submit(ctx context.Context, namespace, template string) error {
	return applyProposal(ctx, local.WorkflowRun(l.sys.Local, nil), engine.Proposal{
		Primitive: "workflow.run", With: map[string]any{"template": template}, Identity: "byhand",
		Target: engine.Target{APIVersion: "argoproj.io/v1alpha1", Kind: "WorkflowTemplate", Namespace: namespace, Name: template},
	})
}

func (l *laptopPlatform) kill(_ context.Context, namespace string, p engine.Pod) (podDeath, error) {
	pid, err := l.sys.Local.CrashPod(namespace, p.Name)
	return podDeath{pid, "its process gets SIGKILL"}, err
}

func (l *laptopPlatform) stop(ctx context.Context) error {
	if l.stopHPAFormula != nil {
		l.stopHPAFormula()
	}
	if l.sys == nil {
		return nil
	}
	return l.sys.Stop(ctx)
}
