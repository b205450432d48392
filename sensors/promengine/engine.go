// Package promengine is a Prometheus inside this process: its own time series
// database, query engine and scraper, with a thin HTTP API over them, so that
// the PromQL of a laptop's demo is the PromQL of a user's own server.
//
// It never discovers targets (they are pushed to it), never evaluates rules,
// and never reads or writes remote storage. It keeps float samples only, no
// native histograms.
//
// Start reading at Open, then targets.go (what is scraped) and api.go (what is
// answered).
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

// Options say how an engine is opened. The zero value is an engine in a
// temporary folder that scrapes every 15 s and keeps six hours.
type Options struct {
	// Dir keeps the data; "" is a temporary folder, removed by Close.
	Dir string
	// ScrapeInterval is how often each target is scraped; 0 is 15 s. A scrape may
	// take as long, and at most 10 s.
	ScrapeInterval time.Duration
	// Retention is how long samples are kept; 0 is six hours. What is still in
	// memory, up to three hours, is kept whatever it says.
	Retention time.Duration
	// Log is where the engine logs; nil is nowhere.
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
	temp    string // the folder to remove, "" if it is the caller's

	close    sync.Once
	closeErr error
}

// Open starts an engine. The caller ends it with Close. It fails where the
// folder can't be written, or another process has it open.
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
	log := slogOver(o.Log)
	registry := prometheus.NewRegistry() // the engine's inner metrics, apart from the process' own
	opts := tsdb.DefaultOptions()
	opts.RetentionDuration = o.Retention.Milliseconds()
	// The defaults are a server's, for millions of series. These are for tens of
	// thousands, in a process that must stay small.
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

// Close stops scraping, closes the database and removes a temporary folder. No
// other method may be under way or follow, and the handler must no longer be served.
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

// SetTargets replaces what is scraped for a job. A job or a target that is new
// is scraped within one interval. The series of one that is gone are marked
// stale just over two intervals later, as Prometheus does, so that a query no
// longer finds them. Targets with the same labels are one target.
func (e *Engine) SetTargets(job string, targets []Target) error {
	if err := e.scraper.set(job, targets); err != nil {
		return fmt.Errorf("set targets of job %q: %w", job, err)
	}
	return nil
}

// Sample is one value of one series.
type Sample struct {
	// Labels name the series, the metric's name as "__name__".
	Labels map[string]string
	At     time.Time
	Value  float64
}

// Append writes samples with their own timestamps (to the millisecond), all or
// none. Samples of one series go in the order of time; one more than an hour
// older than the newest in the database is refused.
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
