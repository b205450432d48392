package main

import (
	"errors"
	"fmt"
	"math"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/scanflow-k8s/scanflow/cmd/internal/load"
)

// loadFlags are the command's flags.
type loadFlags struct {
	scenario, schedule, trace, body, contentType, plot string
	rate, scaleRate, scaleTime                         float64
	duration, bound, timeout                           time.Duration
	samples, concurrency, outstanding                  int
	seed                                               uint64
	headers                                            []string
	capacity, json                                     bool
}

func (o *loadFlags) add(c *cobra.Command) {
	f := c.Flags()
	f.StringVar(&o.scenario, "scenario", "server", "server, single-stream, multi-stream or offline")
	f.Float64Var(&o.rate, "rate", 0, "server: queries a second; with --capacity the first that is tried (10)")
	f.StringVar(&o.schedule, "schedule", "", "server: phases of different rates")
	f.StringVar(&o.trace, "trace", "", "server: CSV file of arrivals, plain or gzipped")
	f.Float64Var(&o.scaleRate, "scale-rate", 1, "multiply the rates of --trace")
	f.Float64Var(&o.scaleTime, "scale-time", 1, "multiply the time of --trace")
	f.DurationVar(&o.duration, "duration", time.Minute, "how long queries are sent; of --trace the first part; absent: all of it")
	f.IntVar(&o.samples, "samples", 0, "offline: how many")
	f.IntVar(&o.concurrency, "concurrency", 1, "offline: how many samples are under way at a time")
	f.DurationVar(&o.bound, "bound", 0, "latency bound, such as 250ms; not for offline")
	f.StringVar(&o.body, "body", "", "file that is posted; absent: nothing")
	f.StringVar(&o.contentType, "content-type", "", "of --body; absent: by the file's extension")
	f.StringArrayVar(&o.headers, "header", nil, "further header, as \"Name: value\"; may be given again")
	f.DurationVar(&o.timeout, "timeout", 10*time.Second, "for one query; one that takes longer is an error")
	f.IntVar(&o.outstanding, "max-outstanding", 4096, "server: the most queries under way; one that is due beyond them is an error, and is not sent")
	f.Uint64Var(&o.seed, "seed", 1, "server: of the arrivals")
	f.BoolVar(&o.capacity, "capacity", false, "server: search the highest rate that holds --bound")
	f.StringVar(&o.plot, "plot", "", "file to draw the run into, as SVG")
	f.BoolVar(&o.json, "json", false, "print the report as one line of JSON, the last")
}

// flagScenarios lists the scenarios that a flag has an effect in. Flags that are not listed
// have an effect in all.
var flagScenarios = map[string][]load.Scenario{
	"rate": {load.Server}, "schedule": {load.Server}, "trace": {load.Server}, "scale-rate": {load.Server}, "scale-time": {load.Server},
	"max-outstanding": {load.Server}, "seed": {load.Server}, "capacity": {load.Server},
	"duration": {load.Server, load.SingleStream, load.MultiStream}, "bound": {load.Server, load.SingleStream, load.MultiStream},
	"samples": {load.Offline}, "concurrency": {load.Offline},
}

// flagConflicts lists flags that have no effect beside another flag, or without it, and
// how to fix that.
var flagConflicts = []struct {
	flag, other string
	needed      bool // whether other is required; otherwise it excludes flag
	fix         string
}{
	{"rate", "trace", false, "the trace has its own rates; leave --rate out, or use --scale-rate"},
	{"rate", "schedule", false, "the schedule has its own rates; leave one of them out"},
	{"schedule", "trace", false, "both say when queries are due; leave one of them out"},
	{"duration", "schedule", false, "the schedule has its own; leave --duration out"},
	{"capacity", "schedule", false, "it searches a rate; leave --schedule out"},
	{"capacity", "trace", false, "it searches a rate; leave --trace out"},
	{"capacity", "bound", true, "say which latency must hold, such as --bound 250ms"},
	{"scale-rate", "trace", true, "it scales a trace; add --trace, or leave it out"},
	{"scale-time", "trace", true, "it scales a trace; add --trace, or leave it out"},
	{"content-type", "body", true, "it is of --body; add one, or leave it out"},
}

// plan checks the flags, reports every mistake, and returns the run. It sends nothing.
func (o *loadFlags) plan(flags *pflag.FlagSet, address string) (*loadRun, error) {
	p := &loadPlan{loadFlags: o, changed: flags.Changed, scenario: load.Scenario(o.scenario)}
	p.checkEmpty()
	p.checkFlags()
	p.checkPlotFile()
	r := &loadRun{plot: o.plot, json: o.json, capacity: o.capacity, probe: o.duration, firstRate: o.rate, seeded: p.scenario == load.Server}
	if r.firstRate == 0 {
		r.firstRate = 10
	}
	r.options = load.Options{
		URL: address, Scenario: p.scenario, Bound: o.bound, Timeout: o.timeout, MaxOutstanding: o.outstanding, Seed: o.seed,
		Samples: o.samples, Concurrency: o.concurrency, Body: p.bodyFunc(), Header: p.headerFunc(),
	}
	switch p.scenario {
	case load.Server:
		r.options.Samples = 0
		p.planServer(r)
	case load.SingleStream, load.MultiStream:
		r.options.Duration = o.duration
		if p.scenario == load.MultiStream {
			r.options.Samples = 8
		}
	}
	r.params.Scenario, r.params.Bound, r.params.Samples = p.scenario, o.bound, r.options.Samples
	if u, err := url.Parse(address); err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		p.errorf("URL: it is not an address such as http://127.0.0.1:8080/predict")
	} else if port, err := strconv.Atoi(u.Port()); u.Port() != "" && (err != nil || port < 1 || port > math.MaxUint16) {
		p.errorf("URL: %s is no port, which is from 1 to %d", u.Port(), math.MaxUint16)
	} else {
		r.description = describeLoad(r, u.Redacted())
	}
	if len(p.errs) == 0 && !r.capacity {
		if _, err := load.New(r.options); err != nil {
			p.errs = append(p.errs, err)
		}
	}
	return r, errors.Join(p.errs...)
}

// loadPlan collects the mistakes in the flags.
type loadPlan struct {
	*loadFlags
	changed  func(flag string) bool
	scenario load.Scenario
	errs     []error
}

func (p *loadPlan) errorf(format string, args ...any) {
	p.errs = append(p.errs, fmt.Errorf(format, args...))
}

func (p *loadPlan) checkFlags() {
	if !slices.Contains([]load.Scenario{load.Server, load.SingleStream, load.MultiStream, load.Offline}, p.scenario) {
		p.errorf("--scenario: %q is none of server, single-stream, multi-stream, offline", p.scenario)
		return
	}
	for _, flag := range []string{"rate", "schedule", "trace", "scale-rate", "scale-time", "duration", "samples", "concurrency", "bound", "max-outstanding", "seed", "capacity"} {
		if p.changed(flag) && !slices.Contains(flagScenarios[flag], p.scenario) {
			p.errorf("--%s: has no effect with --scenario %s; leave it out", flag, p.scenario)
		}
	}
	for _, w := range flagConflicts {
		if p.changed(w.flag) && p.changed(w.other) != w.needed {
			with := "with"
			if w.needed {
				with = "without"
			}
			p.errorf("--%s: has no effect %s --%s: %s", w.flag, with, w.other, w.fix)
		}
	}
	p.checkValues()
}

// checkValues checks the ranges of numbers.
func (p *loadPlan) checkValues() {
	for _, v := range []struct {
		flag  string
		value float64
	}{
		{"rate", p.rate}, {"scale-rate", p.scaleRate}, {"scale-time", p.scaleTime}, {"duration", p.duration.Seconds()}, {"bound", p.bound.Seconds()},
		{"timeout", p.timeout.Seconds()}, {"samples", float64(p.samples)}, {"concurrency", float64(p.concurrency)}, {"max-outstanding", float64(p.outstanding)},
	} {
		if p.changed(v.flag) && (!(v.value > 0) || v.flag != "rate" && math.IsInf(v.value, 0)) {
			p.errorf("--%s: it must be above 0", v.flag)
		}
	}
	if p.rate > load.MaxRate {
		p.errorf("--rate: %g is more than %.0f queries/s, which no process sends", p.rate, load.MaxRate)
	}
	if p.bound >= p.timeout && p.timeout > 0 {
		p.errorf("--timeout: %s is not above --bound (%s), which no answer could miss; give a longer one", p.timeout, p.bound)
	}
	if p.scenario == load.Offline && !p.changed("samples") {
		p.errorf("--samples: offline needs how many, such as --samples 1000")
	}
}
