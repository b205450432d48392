package promengine

import (
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/config"
	"github.com/prometheus/prometheus/discovery/targetgroup"
	"github.com/prometheus/prometheus/scrape"
	"github.com/prometheus/prometheus/storage"
	"sigs.k8s.io/yaml"
)

// Target is one address to scrape.
type Target struct {
	// Address is host:port. It becomes the label "instance", unless Labels has one.
	Address string
	// Labels are added to every series. "__metrics_path__" and "__scheme__" override the
	// defaults /metrics and http, and are not stored.
	Labels map[string]string
}

// scraper runs Prometheus' scrape manager and passes targets to it.
type scraper struct {
	manager  *scrape.Manager
	interval time.Duration
	log      *slog.Logger
	updates  chan map[string][]*targetgroup.Group
	done     chan struct{}

	mu     sync.Mutex // serializes updates, so that the last one wins
	groups map[string][]*targetgroup.Group
	closed bool
}

func newScraper(db storage.AppendableV2, registry *prometheus.Registry, log *slog.Logger, interval time.Duration) (*scraper, error) {
	// The delay of a change of targets: short compared to an interval, without a busy loop.
	reload := min(max(interval/5, 20*time.Millisecond), 5*time.Second)
	manager, err := scrape.NewManager(&scrape.Options{DiscoveryReloadInterval: model.Duration(reload)}, log, nil, nil, db, registry)
	if err != nil {
		return nil, err
	}
	s := &scraper{
		manager: manager, interval: interval, log: log,
		updates: make(chan map[string][]*targetgroup.Group),
		done:    make(chan struct{}),
		groups:  map[string][]*targetgroup.Group{},
	}
	go func() {
		defer close(s.done)
		if err := manager.Run(s.updates); err != nil {
			log.Error("scraping ended", "err", err)
		}
	}()
	return s, nil
}

func (s *scraper) set(job string, targets []Target) error {
	group := &targetgroup.Group{Source: job}
	var mistakes []error
	if job == "" {
		mistakes = append(mistakes, errors.New("the job has no name"))
	}
	for _, t := range targets {
		mistakes = append(mistakes, t.check()...)
		set := model.LabelSet{model.AddressLabel: model.LabelValue(t.Address)}
		for name, value := range t.Labels {
			set[model.LabelName(name)] = model.LabelValue(value)
		}
		group.Targets = append(group.Targets, set)
	}
	if err := errors.Join(mistakes...); err != nil {
		return err
	}

	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return errors.New("the engine is closed")
	}
	_, known := s.groups[job]
	s.groups[job] = []*targetgroup.Group{group}
	if !known {
		if err := s.applyJobs(); err != nil {
			delete(s.groups, job)
			return err
		}
	}
	// A job is never removed, only emptied: removing its scrape pool would cancel the stale
	// markers that end its series.
	select {
	case s.updates <- maps.Clone(s.groups):
		return nil
	case <-s.done:
		return errors.New("scraping has ended")
	}
}

func (t Target) check() (mistakes []error) {
	if _, _, err := net.SplitHostPort(t.Address); err != nil {
		mistakes = append(mistakes, fmt.Errorf("target %q: address is not host:port: %w", t.Address, err))
	}
	for _, name := range slices.Sorted(maps.Keys(t.Labels)) {
		if !model.UTF8Validation.IsValidLabelName(name) || !model.LabelValue(t.Labels[name]).IsValid() {
			mistakes = append(mistakes, fmt.Errorf("target %q: label %q is not valid", t.Address, name))
		}
	}
	return mistakes
}

// applyJobs configures the jobs of the manager. Prometheus only accepts a configuration that
// it has loaded from YAML itself.
func (s *scraper) applyJobs() error {
	type job struct {
		Name string `json:"job_name"`
	}
	type global struct {
		Interval model.Duration `json:"scrape_interval"`
		Timeout  model.Duration `json:"scrape_timeout"`
	}
	doc := struct {
		Global global `json:"global"`
		Jobs   []job  `json:"scrape_configs"`
	}{Global: global{Interval: model.Duration(s.interval), Timeout: model.Duration(min(s.interval, 10*time.Second))}}
	for _, name := range slices.Sorted(maps.Keys(s.groups)) {
		doc.Jobs = append(doc.Jobs, job{name})
	}
	text, err := yaml.Marshal(doc)
	if err != nil {
		return err
	}
	cfg, err := config.Load(string(text), s.log)
	if err != nil {
		return err
	}
	return s.manager.ApplyConfig(cfg)
}

// close ends all scrapes and waits for them. It writes no stale markers, because the targets
// still exist.
func (s *scraper) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	// The manager may have a pending reload, which would start scrapes after Stop. With an
	// empty set of targets it starts none. It only receives the second set after it has
	// processed the first.
	for range 2 {
		s.updates <- nil
	}
	s.manager.Stop()
	<-s.done
}
