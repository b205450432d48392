package demo

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"sync"
	"time"

	"github.com/scanflow-k8s/scanflow/cmd/internal/plot"
	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/sensors/promengine"
)

// testbed runs a case study: workloads on a platform, a Prometheus that scrapes them, the
// agents, and the address for requests.
type testbed struct {
	o        *Options
	study    *study
	screen   *screen
	narrator *narrator
	acts     *actChannel
	prom     *promengine.Engine
	promURL  string
	files    files
	platform platform
	records  *replicaRecorder
	url      string // where requests go

	servers []*http.Server
	stop    context.CancelFunc
	tasks   sync.WaitGroup
}

// scrapeEvery is the scrape interval of pods, at any speed.
const scrapeEvery = time.Second / 2

// openTestbed starts a study in a folder, and waits until its services are ready. The time of
// the screen begins then.
func openTestbed(ctx context.Context, o *Options, s *screen, about *study, dir string) (_ *testbed, err error) {
	taskCtx, stop := context.WithCancel(context.WithoutCancel(ctx))
	tb := &testbed{o: o, study: about, screen: s, narrator: &narrator{screen: s}, acts: &actChannel{acts: make(chan engine.Act, 1000)}, stop: stop}
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
	s.setStart(time.Now())
	if o.Kubernetes != nil {
		tb.platform = newClusterPlatform(o.Kubernetes, about.name, dir)
	} else {
		tb.platform = newLaptopPlatform(dir)
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
	if err := tb.waitReady(ctx); err != nil {
		return nil, err
	}
	address, err := tb.platform.gatewayAddress(ctx, about.name, about.route)
	if err != nil {
		return nil, err
	}
	tb.url = "http://" + address + "/predict"
	s.setStart(time.Now())
	tb.records = newReplicaRecorder(s.startTime())
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

// readyTimeout bounds the start of the services.
const readyTimeout = time.Minute

func (tb *testbed) waitReady(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	for _, name := range tb.study.services {
		for {
			w, known := tb.platform.orchestrator().Workload(tb.study.id(name))
			if known && w.Ready > 0 && w.Ready >= w.Desired {
				break
			}
			if !waitUntil(ctx, time.Now().Add(pollInterval)) {
				return fmt.Errorf("%s did not become ready within %s: %d of %d replicas are", name, readyTimeout, w.Ready, w.Desired)
			}
		}
	}
	return nil
}

// scrape updates the Prometheus targets to the pods of the services, with the labels that a
// cluster's scrape configuration gives them, until the context ends.
func (tb *testbed) scrape(ctx context.Context) error {
	for {
		for _, name := range tb.study.services {
			id := tb.study.id(name)
			w, _ := tb.platform.orchestrator().Workload(id)
			if err := tb.prom.SetTargets(name, podTargets(id, w.Pods)); err != nil {
				return err
			}
		}
		if !waitUntil(ctx, time.Now().Add(pollInterval)) {
			return nil
		}
	}
}

// podTargets returns the scrape targets of a workload's pods.
func podTargets(id engine.TargetID, pods []engine.Pod) (targets []promengine.Target) {
	for _, p := range pods {
		if address := p.Ports["http"]; address != "" {
			targets = append(targets, promengine.Target{Address: address, Labels: map[string]string{
				"namespace": id.Namespace, "deployment": id.Name, "pod": p.Name, "node": p.Node,
			}})
		}
	}
	return targets
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

// responseRate is the rate of successful responses of a service's pods over the run, from the
// scraped metrics.
func (tb *testbed) responseRate(ctx context.Context, service string, span time.Duration) ([]plot.Point, error) {
	query := fmt.Sprintf(`sum(rate(http_responses_total{namespace=%q,deployment=%q,path="/predict",code="200"}[3s])) or vector(0)`, tb.study.name, service)
	start := tb.screen.startTime()
	samples, err := tb.prom.QueryRange(ctx, query, start, start.Add(span), time.Second)
	var out []plot.Point
	for _, s := range samples {
		out = append(out, plot.Point{At: s.At.Sub(start), Value: s.Value})
	}
	return out, err
}
