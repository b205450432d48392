package demo

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"sync"
	"time"

	"github.com/scanflow-k8s/scanflow/actuators/local"
	"github.com/scanflow-k8s/scanflow/cmd/internal/app"
	"github.com/scanflow-k8s/scanflow/cmd/internal/plot"
	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/sensors/promengine"
)

// study is a case study of deploy/scenarios: what it is made of.
type study struct {
	// name is the namespace of what is in it, and its folder unless layOut is given.
	name string
	// layOut puts the files into a folder in another way; nil copies those of the folder.
	layOut func(dir string) (files, error)
	// services are the Deployments whose pods are scraped and recorded.
	services []string
	// route is the HTTPRoute that requests come in by.
	route string
	// nodes are those of the testbed; empty leaves them to the platform.
	nodes []local.Node
	// fill changes the text of a manifest before it is used; nil leaves it.
	fill func(raw []byte) []byte
	// pace shortens the durations of the agents.
	pace pace
	// mlflow is the URL of the tracker that the agents use; "" is none.
	mlflow string
	// paused has the agents look on.
	paused bool
}

func (s *study) id(deployment string) engine.TargetID {
	return engine.TargetID{Kind: "Deployment", Namespace: s.name, Name: deployment}
}

// testbed runs a case study: workloads on a platform, a Prometheus that
// scrapes them, the agents, and the way in.
type testbed struct {
	o        *Options
	study    *study
	screen   *screen
	narrator *narrator
	acts     *actWatch
	prom     *promengine.Engine
	promURL  string
	files    files
	platform platform
	records  *recorder
	url      string // where requests go

	servers []*http.Server
	stop    context.CancelFunc
	tasks   sync.WaitGroup
}

// sighted is an Orchestrator that shows every pod of some labels, with its node.
type sighted interface {
	engine.Orchestrator
	Pods(matchLabels map[string]string) (
		read func(ctx context.Context, namespaces []string, each func(namespace, name, node string)) error,
		release func(), err error)
}

// platform runs workloads and agents: this machine, or a cluster.
type platform interface {
	// start starts the workloads and the agents of the files.
	start(ctx context.Context, tb *testbed) error
	// orchestrator tells how the workloads stand.
	orchestrator() sighted
	// entrance is where an HTTPRoute of the study takes requests, as host:port.
	entrance(ctx context.Context, study, route string) (string, error)
	// metrics is where the entrance's own metrics are scraped, as host:port.
	metrics(ctx context.Context, tb *testbed) (string, error)
	// scale sets the replicas of a Deployment, as somebody other than the agents.
	scale(ctx context.Context, id engine.TargetID, replicas int) error
	// scaleByHPA has the replicas of a service set as a HorizontalPodAutoscaler does, by
	// the requests per second of its pods, until the context or the testbed ends.
	scaleByHPA(ctx context.Context, tb *testbed, service string, each float64) error
	// submit runs a WorkflowTemplate, as a person does.
	submit(ctx context.Context, namespace, template string) error
	// kill has a pod die at once.
	kill(ctx context.Context, namespace string, p engine.Pod) (death, error)
	// system runs the agents.
	system() *app.App
	stop(ctx context.Context) error
}

// startApp runs the agents of a demo, seen by observers.
func startApp(ctx context.Context, o app.Options, observers ...engine.Observer) (*app.App, error) {
	a, err := app.New(o)
	if err != nil {
		return nil, err
	}
	return a, a.Start(ctx, observers...)
}

// death is how a pod died.
type death struct {
	PID int    `json:"pid,omitempty"` // of the process that was killed, where it is known
	How string `json:"how"`
}

// scrapeEvery is how often pods are scraped, at any speed.
const scrapeEvery = time.Second / 2

// openTestbed starts a study in a folder of its own, and waits until its services are
// ready. The time of the screen begins then.
func openTestbed(ctx context.Context, o *Options, s *screen, about *study, dir string) (_ *testbed, err error) {
	taskCtx, stop := context.WithCancel(context.WithoutCancel(ctx))
	tb := &testbed{o: o, study: about, screen: s, narrator: &narrator{screen: s}, acts: &actWatch{acts: make(chan engine.Act, 1000)}, stop: stop}
	defer func() {
		if err != nil {
			err = errors.Join(err, tb.close(ctx))
		}
	}()
	if tb.files, err = about.files(o, dir); err != nil {
		return nil, err
	}
	if tb.prom, err = promengine.Open(promengine.Options{Dir: filepath.Join(dir, "prometheus"), ScrapeInterval: scrapeEvery, Log: o.Log.Named("prometheus")}); err != nil {
		return nil, err
	}
	if tb.promURL, err = tb.serve(ctx, tb.prom.Handler()); err != nil {
		return nil, err
	}
	s.begin(time.Now())
	if o.Kubernetes != nil {
		tb.platform = newOnCluster(o.Kubernetes, about.name, dir)
	} else {
		tb.platform = newLaptop(dir)
	}
	if err := tb.platform.start(ctx, tb); err != nil {
		return nil, err
	}
	for what, follow := range map[string]func(context.Context) error{"scraping": tb.scrape, "the state of the workloads": tb.stateMetrics} {
		tb.tasks.Go(func() {
			if err := follow(taskCtx); err != nil {
				s.printf("  %s", s.alarm(what+": "+err.Error()))
			}
		})
	}
	entrance, err := tb.platform.metrics(ctx, tb)
	if err != nil {
		return nil, err
	}
	if err := tb.prom.SetTargets("entrance", []promengine.Target{{Address: entrance}}); err != nil {
		return nil, err
	}
	if err := tb.ready(ctx); err != nil {
		return nil, err
	}
	address, err := tb.platform.entrance(ctx, about.name, about.route)
	if err != nil {
		return nil, err
	}
	tb.url = "http://" + address + "/predict"
	s.begin(time.Now())
	tb.records = newRecorder(s.began())
	tb.tasks.Go(func() { tb.records.follow(taskCtx, tb) })
	return tb, nil
}

// serve serves a handler on a free port of this machine until the testbed is closed.
func (tb *testbed) serve(ctx context.Context, h http.Handler) (url string, err error) {
	url, server, err := loopback(ctx, &tb.tasks, h)
	if err == nil {
		tb.servers = append(tb.servers, server)
	}
	return url, err
}

// readyWithin is how long the services may take to be ready for the first time.
const readyWithin = time.Minute

func (tb *testbed) ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, readyWithin)
	defer cancel()
	for _, name := range tb.study.services {
		for {
			w, known := tb.platform.orchestrator().Workload(tb.study.id(name))
			if known && w.Ready > 0 && w.Ready >= w.Desired {
				break
			}
			if !waitUntil(ctx, time.Now().Add(observeEvery)) {
				return fmt.Errorf("%s did not become ready within %s: %d of %d replicas are", name, readyWithin, w.Ready, w.Desired)
			}
		}
	}
	return nil
}

// scrape keeps the Prometheus engine's targets those of the services' pods, with the
// labels that a cluster's scrape configuration gives them, until the context ends.
func (tb *testbed) scrape(ctx context.Context) error {
	for {
		for _, name := range tb.study.services {
			w, _ := tb.platform.orchestrator().Workload(tb.study.id(name))
			var targets []promengine.Target
			for _, p := range w.Pods {
				if address := p.Ports["http"]; address != "" {
					targets = append(targets, promengine.Target{Address: address, Labels: map[string]string{
						"namespace": tb.study.name, "deployment": name, "pod": p.Name, "node": p.Node,
					}})
				}
			}
			if err := tb.prom.SetTargets(name, targets); err != nil {
				return err
			}
		}
		if !waitUntil(ctx, time.Now().Add(observeEvery)) {
			return nil
		}
	}
}

func (tb *testbed) close(ctx context.Context) error {
	var errs []error
	tb.stop()
	if tb.platform != nil {
		errs = append(errs, tb.platform.stop(context.WithoutCancel(ctx)))
	}
	for _, server := range tb.servers {
		errs = append(errs, server.Close())
	}
	tb.tasks.Wait()
	if tb.prom != nil {
		errs = append(errs, tb.prom.Close())
	}
	return errors.Join(errs...)
}

// answersOf is how many requests a second the pods of a service answered over the run,
// by what was scraped of them.
func (tb *testbed) answersOf(ctx context.Context, service string, span time.Duration) ([]plot.Point, error) {
	query := fmt.Sprintf(`sum(rate(http_responses_total{namespace=%q,deployment=%q,path="/predict",code="200"}[3s])) or vector(0)`, tb.study.name, service)
	start := tb.screen.began()
	samples, err := tb.prom.QueryRange(ctx, query, start, start.Add(span), time.Second)
	var out []plot.Point
	for _, s := range samples {
		out = append(out, plot.Point{At: s.At.Sub(start), Value: s.Value})
	}
	return out, err
}
