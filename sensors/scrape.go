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

// ScrapeConfig reads a metric directly from the applications' pages of metrics. It is meant
// for fleets of hundreds of targets. For more of them, and for a history of more than a minute
// or so, use a Prometheus server.
//
// Pages are read like a scrape by Prometheus: as text, OpenMetrics or protobuf, by their
// Content-Type. Only what is on the page is a sample.
//
// The value is a number: the metric itself, its increase per second (`rate`), or a quantile of
// a histogram's observations (`quantile`). With `by: pod` it is an object with such a number
// for each ready pod, which is not OK if a pod has none.
type ScrapeConfig struct {
	URL       string            `json:"url,omitempty" doc:"page of each target, with {name}, {namespace} and {label:NAME}"`
	Port      string            `json:"port,omitempty" doc:"instead of url: name or number of the port of each ready pod of the target"`
	Path      string            `json:"path,omitempty" doc:"page at that port; /metrics if absent"`
	Metric    string            `json:"metric" required:"true" doc:"name of the sample, as the page shows it; for a quantile, of the histogram, without _bucket; NAME_count and NAME_sum are those of a native histogram NAME too"`
	Labels    map[string]string `json:"labels,omitempty" doc:"labels that the samples must have, each with exactly this value; le and quantile are compared as numbers, and an empty value means no such label"`
	Aggregate string            `json:"aggregate,omitempty" enum:"sum,avg,max,min" doc:"how the samples of all pages of a target become one; sum if absent"`
	By        string            `json:"by,omitempty" enum:"pod" doc:"with port: the value is an object with a number for each ready pod, by the pod's name, at most 1000; ok only if every pod has one"`
	Rate      manifest.Duration `json:"rate,omitzero" doc:"increase per second over this span, for counters; wants two samples in it"`
	Quantile  *QuantileConfig   `json:"quantile,omitempty" doc:"quantile of a histogram"`
	Timeout   manifest.Duration `json:"timeout,omitzero" doc:"of one page; 2s if absent, and at most half the sensor's own"`

	BasicAuth   *manifest.BasicAuth `json:"basicAuth,omitempty" doc:"user and password"`
	BearerToken *manifest.Secret    `json:"bearerToken,omitempty" doc:"token sent as Authorization: Bearer"`
	Headers     manifest.Headers    `json:"headers,omitempty" doc:"headers to send, by name: a text, or a reference where it is secret, as in X-Scope-OrgID: team-a"`
	TLS         *TLS                `json:"tls,omitempty" doc:"certificates; with port, it also says https"`
}

// QuantileConfig selects a quantile and the span of the observations.
type QuantileConfig struct {
	Rank   float64           `json:"rank" required:"true" doc:"0.99 for the 99th percentile"`
	Window manifest.Duration `json:"window" required:"true" doc:"of the observations within this span; wants two samples in it"`
}

// Check returns an invalid rank or window.
func (q QuantileConfig) Check() (mistakes mistake.Mistakes) {
	if q.Rank <= 0 || q.Rank > 1 {
		mistakes.Add("rank", "must be above 0 and at most 1", "")
	}
	if q.Window.Duration <= 0 {
		mistakes.Add("window", "must be positive", "")
	}
	return mistakes
}

// NeedsTwoSamples reports whether a value needs two samples.
func (c *ScrapeConfig) NeedsTwoSamples() bool { return c.Rate.Duration > 0 || c.Quantile != nil }

// ValueType returns the JSON type of the signal's value.
func (c *ScrapeConfig) ValueType() string {
	if c.By != "" {
		return "object"
	}
	return "number"
}

// ValueSchema returns the JSON Schema of the signal's value if that is an object.
func (c *ScrapeConfig) ValueSchema() map[string]any {
	if c.By == "" {
		return nil
	}
	return mapSchema("number")
}

// MembersBy returns what the members of the value are named by; "" if it has none.
func (c *ScrapeConfig) MembersBy() string { return c.By }

// SecretsTo returns the address that basicAuth, bearerToken and headers are sent to. It is ""
// with port: they go to the pods.
func (c *ScrapeConfig) SecretsTo() string { return c.URL }

func (c *ScrapeConfig) access() access {
	return access{basic: c.BasicAuth, bearer: c.BearerToken, headers: c.Headers, tls: c.TLS, limit: appBodyLimit}
}

// Check returns fields that exclude each other, and an invalid URL.
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
		if c.By != "" {
			mistakes.Add("by", "goes with port: a url does not say which pod answers", "give port in place of url, or leave it out")
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
	selector  *sampleSelector
	workloads engine.Orchestrator
	poller    *poller
	rates     *rateWindow // nil unless the value is a rate or a quantile
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
	s := &scrape{ScrapeConfig: c, client: cl, selector: newSampleSelector(c), workloads: env.Workloads, poller: &poller{timeout: c.Timeout.Duration}}
	if s.url, err = parseTemplate(c.URL); err != nil {
		return nil, fmt.Errorf("url: %w", err)
	}
	switch {
	case c.Rate.Duration > 0:
		s.rates = newRateWindow(c.Rate.Duration)
	case c.Quantile != nil:
		s.rates = newRateWindow(c.Quantile.Window.Duration)
	}
	return s, nil
}

// Sample reads every page once. If a page fails, only its target is an Error. A target with
// several pages needs all of them: a sum without one of them would be too low.
func (s *scrape) Sample(ctx context.Context, at time.Time, fleet []engine.Target) (engine.Reading, error) {
	out := make(engine.Reading, len(fleet))
	var addresses []string
	known := map[string]int{}              // a page that several targets share is read once
	pages := make([][]podPage, len(fleet)) // by target
	for i := range fleet {
		list, err := s.pages(&fleet[i])
		if err != nil {
			out[i] = engine.Signal{State: engine.Error, Problem: err.Error()}
		}
		for _, p := range list {
			if p.err != nil {
				pages[i] = append(pages[i], p)
				continue
			}
			k, ok := known[p.address]
			if !ok {
				k, known[p.address] = len(addresses), len(addresses)
				addresses = append(addresses, p.address)
			}
			p.index = k
			pages[i] = append(pages[i], p)
		}
	}

	found := make([]expositionSamples, len(addresses))
	errs := s.poller.pollAll(ctx, addresses, func(ctx context.Context, i int) (err error) {
		found[i], err = s.read(ctx, at, addresses[i])
		return err
	})

	for i := range fleet {
		if out[i].State == engine.Error {
			continue
		}
		if s.By != "" {
			out[i] = s.byPod(pages[i], found, errs)
			continue
		}
		var all expositionSamples
		var failed []error
		for _, p := range pages[i] {
			all.merge(found[p.index])
			failed = append(failed, errs[p.index])
		}
		if err := errors.Join(failed...); err != nil {
			out[i] = engine.Signal{State: engine.Error, Problem: strings.ReplaceAll(err.Error(), "\n", "; ")}
			continue
		}
		out[i] = s.signal(all)
	}
	if s.rates != nil {
		s.rates.prune(at)
	}
	return out, nil
}

// podPage is a page of a target.
type podPage struct {
	pod     string // "" for a page at a url
	address string
	index   int   // into the addresses that are read
	err     error // of a pod without a page
}

// pages returns the pages of a target: one, or one for each ready pod.
func (s *scrape) pages(target *engine.Target) ([]podPage, error) {
	if s.Port == "" {
		address, err := s.url.fill(target, inURL)
		return []podPage{{address: address}}, err
	}
	w, _ := s.workloads.Workload(target.ID())
	scheme, path := "http://", s.Path
	if s.TLS != nil {
		scheme = "https://"
	}
	if path == "" {
		path = "/metrics"
	}
	var out []podPage
	for _, pod := range w.Pods {
		if !pod.Ready {
			continue
		}
		host, ok := pod.Ports[s.Port]
		switch {
		case !ok && s.By == "":
			return nil, fmt.Errorf("pod %s has no port %q", pod.Name, s.Port)
		case !ok:
			out = append(out, podPage{pod: pod.Name, err: fmt.Errorf("the pod has no port %q", s.Port)})
			continue
		}
		out = append(out, podPage{pod: pod.Name, address: scheme + host + path})
	}
	return out, nil
}

func (s *scrape) read(ctx context.Context, at time.Time, address string) (expositionSamples, error) {
	kind, body, err := s.client.get(ctx, address, acceptExposition)
	if err != nil {
		return expositionSamples{}, err
	}
	found, err := readExposition(kind, body, s.selector, at)
	if err != nil {
		return expositionSamples{}, s.client.bodyError(address, err)
	}
	if s.rates != nil {
		s.rates.add(address, found.points, at)
		found.present = len(found.points) > 0
		found.points = s.rates.rates(address, found.points, at)
	}
	return found, nil
}
