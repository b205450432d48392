package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/scanflow-k8s/scanflow/cmd/internal/load"
	"github.com/scanflow-k8s/scanflow/cmd/internal/mlperf"
)

const loadLong = `Posts queries to an HTTP service as MLPerf inference's load generator does, and
reports the latencies, the scenario's metric, and whether a latency bound held.

server         Queries arrive as a Poisson process at --rate, or as --schedule or
               --trace say, whatever became of those before: a slow service slows no
               arrival. Latency counts from when a query was due. The bound holds if
               99 of 100 are within it.
single-stream  The next query is sent when the last has returned (90 of 100).
multi-stream   So are queries of 8 samples, sent at once, one POST each; a query takes
               as long as its slowest sample (99 of 100).
offline        --samples in one query, --concurrency at a time: samples a second.

A query that is not answered with a status of 2xx within --timeout is an error, and
slower than any bound.

--schedule has phases with commas between them, each DURATION@RATE, with NAME=
before it if you like:

  1m@20                  20 queries/s for a minute
  30s@20..80             rising from 20 to 80
  2m@sine:20..60/30s     between 20 and 60, each 30 s
  2m@square:20..60/30s   20 for half of each 30 s, 60 for the other half
  10m@day:2..40          a day: lowest at 04:00, highest at 16:00

--trace is a CSV file, plain or gzipped, with the header second,requests or
minute,requests (a minute is a number or a time), or second and one request a line.
--scale-rate multiplies its rates and --scale-time its time, each without regard to
the other. Every bad line is named, and then nothing is sent.

--capacity searches the highest rate that holds --bound without an error: it doubles
from --rate, bisects, and repeats what it found. Each run takes --duration.

A run is valid by MLPerf's rules if it took 600 s, had one rate and a bound that held
(server), no error, and enough queries for early stopping to vouch for the
percentile. It is not if the generator fell behind: sent one in a hundred queries
late by more than a tenth of the bound (10 ms without one), or any by a second.

With --json the last line is the report as JSON. Ctrl-C stops the arrivals, waits for
what is under way, and reports. The exit status is 0 if there were queries, each was
answered, and the bound, where one was given, was met (with --capacity: if a rate was
found); 130 after Ctrl-C; 1 otherwise. It does not depend on whether the run is valid.`

func newLoad() *cobra.Command {
	var o loadFlags
	c := &cobra.Command{
		Use:   "load URL",
		Short: "Load an HTTP service by MLPerf inference's rules, and measure its latency",
		Long:  loadLong,
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			run, err := o.plan(cmd.Flags(), args[0])
			if err != nil {
				return err
			}
			run.out, run.progress = cmd.OutOrStdout(), cmd.ErrOrStderr()
			return run.run(cmd.Context())
		},
	}
	o.add(c)
	return c
}

// loadRun is a load test whose flags were checked.
type loadRun struct {
	options     load.Options
	params      mlperf.Params
	description string   // one line, such as "server: 20 queries/s for 1m0s"
	notes       []string // printed before the run
	seeded      bool     // the report has the seed
	// capacity is true for a search of the capacity from firstRate, in runs of length probe.
	capacity      bool
	firstRate     float64
	probe         time.Duration
	plot          string
	json          bool
	out, progress io.Writer
	lastResult    *load.Result
}

// loadReport is the JSON line that --json prints last.
type loadReport struct {
	*mlperf.Report
	Seed     *uint64       `json:"seed,omitempty"`
	Capacity *loadCapacity `json:"capacity,omitempty"`
}

// loadCapacity is the result of a search for the capacity.
type loadCapacity struct {
	// Rate is the highest rate that held, in queries a second; null if none did.
	Rate   *float64       `json:"rate"`
	Probes []mlperf.Probe `json:"probes"`
}

func (r *loadRun) run(ctx context.Context) error {
	r.printf("%s\n", r.description)
	for _, note := range r.notes {
		r.printf("%s\n", note)
	}
	var report loadReport
	var err error
	if r.capacity {
		report, err = r.search(ctx)
	} else {
		report.Report, err = r.runOnce(ctx)
	}
	if err != nil {
		return err
	}
	if r.seeded {
		report.Seed = &r.options.Seed
	}
	if report.Report != nil {
		r.printf("%s", r.text(report.Report))
	}
	if r.plot != "" && r.lastResult != nil {
		if err := r.writePlot(); err != nil {
			return err
		}
		r.printf("drawn in %s\n", r.plot)
	}
	if r.json && report.Report != nil {
		if err := writeLine(r.out, report); err != nil {
			return err
		}
	}
	return report.exitStatus(ctx)
}

// exitStatus returns the error that sets the command's exit status.
func (l *loadReport) exitStatus(ctx context.Context) error {
	switch {
	case ctx.Err() != nil:
		return exitCode(exitInterrupted)
	case l.Capacity != nil && l.Capacity.Rate != nil:
		return nil
	case l.Capacity != nil, l.BoundMet != nil && !*l.BoundMet, l.Errors > 0, l.Queries == 0:
		return errSilent
	}
	return nil
}

// runOnce runs the load test once and evaluates the result.
func (r *loadRun) runOnce(ctx context.Context) (*mlperf.Report, error) {
	g, err := load.New(r.options)
	if err != nil {
		return nil, err
	}
	stop := showProgress(r.progress, g, r.expectedDuration())
	result, err := g.Run(ctx)
	stop()
	if err != nil && ctx.Err() == nil {
		return nil, err
	}
	asked := r.params
	asked.Interrupted = err != nil
	r.lastResult = result
	return mlperf.Evaluate(result, asked), nil
}

const (
	// maxProbeRate is above the rate that one process can send.
	maxProbeRate = 200_000
	// probeQueries is the minimum number of queries of a probe: fewer do not measure a rate.
	probeQueries = 10
)

// search searches the capacity and prints the result of each probe.
func (r *loadRun) search(ctx context.Context) (loadReport, error) {
	var last *mlperf.Report
	var probes []mlperf.Probe
	interrupted := errors.New("interrupted")
	rate, err := mlperf.Capacity(ctx, min(r.firstRate, probeQueries/r.probe.Seconds()), r.firstRate, maxProbeRate, func(ctx context.Context, rate float64, confirms bool) (bool, error) {
		r.options.Phases = []load.Phase{{Name: "probe", Duration: r.probe, Rate: rate}}
		var err error
		if last, err = r.runOnce(ctx); err != nil {
			return false, err
		}
		if ctx.Err() != nil {
			return false, interrupted
		}
		p := last.Probe(rate, confirms)
		probes = append(probes, p)
		r.printf("%s\n", probeText(len(probes), p))
		return p.Held, nil
	})
	if err != nil && !errors.Is(err, interrupted) {
		r.printf("%s\n", err)
	}
	found := loadReport{Report: last, Capacity: &loadCapacity{Probes: probes}}
	if last == nil {
		return found, nil
	}
	last.Metric.Value = nil
	if err == nil && rate > 0 {
		found.Capacity.Rate, last.Metric.Value = &rate, &rate
	}
	r.printf("%s\n", capacityText(found.Capacity, ctx.Err() != nil))
	return found, nil
}

// expectedDuration returns how long the run takes; 0 if that depends on the service.
func (r *loadRun) expectedDuration() time.Duration {
	switch r.options.Scenario {
	case load.Offline:
		return 0
	case load.Server:
		return load.Total(r.options.Phases)
	}
	return r.options.Duration
}

func (r *loadRun) printf(format string, args ...any) { _, _ = fmt.Fprintf(r.out, format, args...) }

// writePlot draws the run as SVG.
func (r *loadRun) writePlot() (err error) {
	f, err := os.Create(r.plot)
	if err != nil {
		return fmt.Errorf("--plot: %w", err)
	}
	defer func() {
		if closeErr := f.Close(); err == nil && closeErr != nil {
			err = fmt.Errorf("--plot: %w", closeErr)
		}
	}()
	if err := loadChart(r.lastResult, r.params, r.options.Phases).SVG(f); err != nil {
		return fmt.Errorf("--plot: %s: %w", r.plot, err)
	}
	return nil
}
