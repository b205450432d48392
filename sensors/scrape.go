package sensors

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/manifest"
	"github.com/scanflow-k8s/scanflow/engine/mistake"
)

// ScrapeConfig reads a metric off the applications' own pages, with no server in
// between. It is for fleets of hundreds: beyond, and for any history longer than
// a minute or so, let a Prometheus do it.
//
// A page is read as Prometheus' scrape reads it: in text, OpenMetrics or protobuf, by
// its Content-Type. Only what is on the page is a sample.
//
// The value is a number: the metric as it is, its increase per second (`rate`),
// or a quantile of what a histogram observed (`quantile`).
type ScrapeConfig struct {
	URL       string            `json:"url,omitempty" doc:"page of each target, with {name}, {namespace} and {label:NAME}"`
	Port      string            `json:"port,omitempty" doc:"instead of url: name or number of the port of each ready pod of the target"`
	Path      string            `json:"path,omitempty" doc:"page at that port; /metrics if absent"`
	Metric    string            `json:"metric" required:"true" doc:"name of the sample, as the page shows it; for a quantile, of the histogram, without _bucket; NAME_count and NAME_sum are those of a native histogram NAME too"`
	Labels    map[string]string `json:"labels,omitempty" doc:"labels that the samples must have, each with exactly this value; le and quantile are compared as numbers, and an empty value means no such label"`
	Aggregate string            `json:"aggregate,omitempty" enum:"sum,avg,max,min" doc:"how the samples of all pages of a target become one; sum if absent"`
	Rate      manifest.Duration `json:"rate,omitzero" doc:"increase per second over this span, for counters; wants two samples in it"`
	Quantile  *QuantileConfig   `json:"quantile,omitempty" doc:"quantile of a histogram"`
	Timeout   manifest.Duration `json:"timeout,omitzero" doc:"of one page; 2s if absent, and at most half the sensor's own"`

	BasicAuth   *manifest.BasicAuth `json:"basicAuth,omitempty" doc:"user and password"`
	BearerToken *manifest.Secret    `json:"bearerToken,omitempty" doc:"token sent as Authorization: Bearer"`
	Headers     manifest.Headers    `json:"headers,omitempty" doc:"headers to send, by name: a text, or a reference where it is secret, as in X-Scope-OrgID: team-a"`
	TLS         *TLS                `json:"tls,omitempty" doc:"certificates; with port, it also says https"`
}

// QuantileConfig says which quantile, of which observations.
type QuantileConfig struct {
	Rank   float64           `json:"rank" required:"true" doc:"0.99 for the 99th percentile"`
	Window manifest.Duration `json:"window" required:"true" doc:"of the observations within this span; wants two samples in it"`
}

// Check finds a rank that is none.
func (q QuantileConfig) Check() (mistakes mistake.Mistakes) {
	if q.Rank <= 0 || q.Rank > 1 {
		mistakes.Add("rank", "must be above 0 and at most 1", "")
	}
	if q.Window.Duration <= 0 {
		mistakes.Add("window", "must be positive", "")
	}
	return mistakes
}

// Compares tells whether a value takes two samples.
func (c *ScrapeConfig) Compares() bool { return c.Rate.Duration > 0 || c.Quantile != nil }

// ValueType is the JSON type that the signal's value has.
func (*ScrapeConfig) ValueType() string { return "number" }

// SecretsTo is the address that basicAuth, bearerToken and headers are sent to; "" with port: the pods'.
func (c *ScrapeConfig) SecretsTo() string { return c.URL }

func (c *ScrapeConfig) access() access {
	return access{basic: c.BasicAuth, bearer: c.BearerToken, headers: c.Headers, tls: c.TLS, limit: appBodyLimit}
}

// Check finds fields that exclude each other, and a bad URL.
func (c *ScrapeConfig) Check() mistake.Mistakes {
	mistakes := c.access().check()
	if (c.URL == "") == (c.Port == "") {
		mistakes.Add("url", "give either url or port", "")
	}
	if c.URL != "" {
		mistakes = append(mistakes, checkURL("url", c.URL)...)
		if c.Path != "" {
			mistakes.Add("path", "goes with port", "put it into url")
		}
	}
	if c.Path != "" && !strings.HasPrefix(c.Path, "/") {
		mistakes.Add("path", "begins with /", "")
	}
	if c.Rate.Duration > 0 && c.Quantile != nil {
		mistakes.Add("rate", "excludes quantile", "")
	}
	if c.Quantile != nil && c.Aggregate != "" {
		mistakes.Add("aggregate", "a quantile is of all observations together", "drop it")
	}
	return mistakes
}

type scrape struct {
	*ScrapeConfig
	client    *client
	url       template
	want      *wanted
	workloads engine.Orchestrator
	fan       fan
	past      *past // nil where the value needs none
}

func newScrape(c *ScrapeConfig, env Env) (engine.Sensor, error) {
	if err := c.Check().Err(); err != nil {
		return nil, err
	}
	if c.Port != "" && env.Workloads == nil {
		return nil, errors.New("port: no orchestrator runs here that knows the pods; give a url instead")
	}
	cl, err := newClient(c.access(), env)
	if err != nil {
		return nil, err
	}
	s := &scrape{ScrapeConfig: c, client: cl, want: newWanted(c), workloads: env.Workloads, fan: fan{timeout: c.Timeout.Duration}}
	if s.url, err = parseTemplate(c.URL); err != nil {
		return nil, fmt.Errorf("url: %w", err)
	}
	switch {
	case c.Rate.Duration > 0:
		s.past = newPast(c.Rate.Duration)
	case c.Quantile != nil:
		s.past = newPast(c.Quantile.Window.Duration)
	}
	return s, nil
}

// Sample reads every page once. A page that fails makes an Error of its target
// alone; a target with several pages needs them all, since a sum without one of
// them would be a lower number, not a missing one.
func (s *scrape) Sample(ctx context.Context, at time.Time, fleet []engine.Target) (engine.Reading, error) {
	out := make(engine.Reading, len(fleet))
	var addresses []string
	known := map[string]int{}          // a page of several targets is read once
	pages := make([][]int, len(fleet)) // of each target, in addresses
	for i := range fleet {
		list, err := s.pages(&fleet[i])
		if err != nil {
			out[i] = engine.Signal{State: engine.Error, Problem: err.Error()}
		}
		for _, address := range list {
			k, ok := known[address]
			if !ok {
				k, known[address] = len(addresses), len(addresses)
				addresses = append(addresses, address)
			}
			pages[i] = append(pages[i], k)
		}
	}

	found := make([]findings, len(addresses))
	errs := s.fan.run(ctx, addresses, func(ctx context.Context, i int) (err error) {
		found[i], err = s.read(ctx, at, addresses[i])
		return err
	})

	for i := range fleet {
		if out[i].State == engine.Error {
			continue
		}
		var all findings
		var failed []error
		for _, k := range pages[i] {
			all.join(found[k])
			failed = append(failed, errs[k])
		}
		if err := errors.Join(failed...); err != nil {
			out[i] = engine.Signal{State: engine.Error, Problem: strings.ReplaceAll(err.Error(), "\n", "; ")}
			continue
		}
		out[i] = s.signal(all)
	}
	if s.past != nil {
		s.past.forget(at)
	}
	return out, nil
}

// pages are the addresses to read for a target: one, or one for each ready pod.
func (s *scrape) pages(target *engine.Target) ([]string, error) {
	if s.Port == "" {
		address, err := s.url.fill(target, inURL)
		return []string{address}, err
	}
	w, _ := s.workloads.Workload(target.ID())
	scheme, path := "http://", s.Path
	if s.TLS != nil {
		scheme = "https://"
	}
	if path == "" {
		path = "/metrics"
	}
	var out []string
	for _, pod := range w.Pods {
		if !pod.Ready {
			continue
		}
		host, ok := pod.Ports[s.Port]
		if !ok {
			return nil, fmt.Errorf("pod %s has no port %q", pod.Name, s.Port)
		}
		out = append(out, scheme+host+path)
	}
	return out, nil
}

func (s *scrape) read(ctx context.Context, at time.Time, address string) (findings, error) {
	kind, body, err := s.client.get(ctx, address, acceptPages)
	if err != nil {
		return findings{}, err
	}
	found, err := readPage(kind, body, s.want, at)
	if err != nil {
		return findings{}, s.client.fault(address, err)
	}
	if s.past != nil {
		s.past.add(address, found.points, at)
		found.once = len(found.points) > 0
		found.points = s.past.increases(address, found.points, at)
	}
	return found, nil
}
