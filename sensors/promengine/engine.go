// Package promengine embeds Prometheus: its time series database, PromQL engine and scraper,
// which are Prometheus' own packages, and a small HTTP query API of ours over them, which
// serves the part of Prometheus' API that sensors and dashboards use. Demos and tests query it
// with the same PromQL as a user's own server. (Prometheus' own API package can't be imported:
// its dependencies conflict with OPA's.)
//
// It never discovers targets (callers set them), never evaluates rules, and never reads or
// writes remote storage. It stores float samples only, no native histograms. It imports
// Prometheus and nothing of engine.
//
// Start reading at Open, then targets.go (scraping) and api.go (the query API).
package promengine

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/tsdb"
)

// Options configures an engine. The zero value uses a temporary folder, scrapes every 15 s and
// keeps six hours.
type Options struct {
	// Dir holds the data; "" means a temporary folder, which Close removes.
	Dir string
	// ScrapeInterval is the interval between scrapes of a target; 0 means 15 s. It is also the
	// timeout of a scrape, up to 10 s.
	ScrapeInterval time.Duration
	// Retention is the age up to which samples are kept; 0 means six hours. Samples in memory, up to
	// three hours, are kept regardless.
	Retention time.Duration
	// Log receives the engine's log; nil discards it.
	Log hclog.Logger
}

const (
	defaultScrapeInterval = 15 * time.Second
	defaultRetention      = 6 * time.Hour
	queryTimeout          = 2 * time.Minute
	maxQuerySamples       = 50_000_000
)

// Engine is a running Prometheus. Its methods are safe for concurrent use.
type Engine struct {
	db      *tsdb.DB
	promql  *promql.Engine
	parser  parser.Parser
	scraper *scraper
	temp    string // the folder to remove; "" if the caller owns it

	close    sync.Once
	closeErr error
}

// Open starts an engine. The caller must Close it. It fails if the folder can't be written, or
// another process uses it.
func Open(o Options) (*Engine, error) {
	if o.ScrapeInterval <= 0 {
		o.ScrapeInterval = defaultScrapeInterval
	}
	if o.Retention <= 0 {
		o.Retention = defaultRetention
	}
	if o.Log == nil {
		o.Log = hclog.NewNullLogger()
	}
	e := &Engine{parser: parser.NewParser(parser.Options{})}
	if o.Dir == "" {
		dir, err := os.MkdirTemp("", "scanflow-prometheus-")
		if err != nil {
			return nil, fmt.Errorf("open Prometheus engine: %w", err)
		}
		o.Dir, e.temp = dir, dir
	}
	if err := e.start(o); err != nil {
		return nil, errors.Join(fmt.Errorf("open Prometheus engine: %w", err), e.Close())
	}
	return e, nil
}

func (e *Engine) start(o Options) (err error) {
	log := newSlogLogger(o.Log)
	registry := prometheus.NewRegistry() // keeps the engine's own metrics out of the process' registry
	opts := tsdb.DefaultOptions()
	opts.RetentionDuration = o.Retention.Milliseconds()
	// The defaults are for a server with millions of series. These are for tens of thousands,
	// and use little memory.
	opts.StripeSize = 1 << 10
	opts.HeadChunksWriteBufferSize = 256 << 10
	if e.db, err = tsdb.Open(o.Dir, log, registry, opts, nil); err != nil {
		return err
	}
	e.promql = promql.NewEngine(promql.EngineOpts{
		Logger: log, Reg: registry, Parser: e.parser,
		MaxSamples: maxQuerySamples, Timeout: queryTimeout,
		EnableAtModifier: true, EnableNegativeOffset: true,
		NoStepSubqueryIntervalFn: func(int64) int64 { return o.ScrapeInterval.Milliseconds() },
	})
	e.scraper, err = newScraper(e.db, registry, log, o.ScrapeInterval)
	return err
}

// Close stops scraping, closes the database and removes a temporary folder. No other method
// may run concurrently or later, and the handler must no longer be served.
func (e *Engine) Close() error {
	e.close.Do(func() {
		var errs []error
		if e.scraper != nil {
			e.scraper.close()
		}
		if e.promql != nil {
			errs = append(errs, e.promql.Close())
		}
		if e.db != nil {
			errs = append(errs, e.db.Close())
		}
		if e.temp != "" {
			errs = append(errs, os.RemoveAll(e.temp))
		}
		if err := errors.Join(errs...); err != nil {
			e.closeErr = fmt.Errorf("close Prometheus engine: %w", err)
		}
	})
	return e.closeErr
}

// SetTargets replaces the targets of a job. A new target is scraped within one interval. The
// series of a removed one are marked stale slightly more than two intervals later, as in
// Prometheus, and queries no longer find them. Targets with the same labels are one target.
func (e *Engine) SetTargets(job string, targets []Target) error {
	if err := e.scraper.set(job, targets); err != nil {
		return fmt.Errorf("set targets of job %q: %w", job, err)
	}
	return nil
}

// Sample is one value of a series.
type Sample struct {
	// Labels identify the series. The metric's name is the label "__name__".
	Labels map[string]string
	At     time.Time
	Value  float64
}

// Append writes samples with their own timestamps (to the millisecond), all or none. The
// samples of a series must be in order of time. A sample more than an hour older than the
// newest in the database is refused.
func (e *Engine) Append(ctx context.Context, samples []Sample) error {
	app := e.db.Appender(ctx)
	for _, s := range samples {
		series := labels.FromMap(s.Labels)
		if _, err := app.Append(0, series, s.At.UnixMilli(), s.Value); err != nil {
			return errors.Join(fmt.Errorf("append to %s at %s: %w", series, s.At.Format(time.RFC3339Nano), err), app.Rollback())
		}
	}
	if err := app.Commit(); err != nil {
		return fmt.Errorf("append %d samples: %w", len(samples), err)
	}
	return nil
}
