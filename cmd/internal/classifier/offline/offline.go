// Package offline classifies a batch of images in MLPerf's Offline scenario: one query has
// all samples, and the metric is samples per second (MLPerf inference rules, section
// "Scenarios"). It is the batch workload that shares a node with a service.
//
// It measures no latency and sends nothing. A batch that is stopped or moved to another
// node continues from its progress file (progress.go). Start reading at Run.
package offline

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"runtime"
	"sync"
	"time"

	"github.com/scanflow-k8s/scanflow/cmd/internal/classifier"
	"github.com/scanflow-k8s/scanflow/cmd/internal/classifier/share"
)

// The minimums of a valid run: a query of 24,576 samples (inference rules, section
// "Scenarios") and 600 s (min_duration in LoadGen's mlperf.conf).
const (
	fullSamples = 24_576
	fullSeconds = 600
)

// drawn is the number of distinct images; sample i is image i modulo drawn.
const drawn = 16

// Options configure a batch.
type Options struct {
	Model   classifier.Model
	Seed    uint64
	Threads int
	Samples int
	// CPU is the share of all threads together; 0 means no limit.
	CPU share.Share
	// Progress is the progress file; "" means none.
	Progress string
	// Every is the interval of progress lines; 0 means 1 s.
	Every time.Duration
	// Output receives one JSON object per line.
	Output io.Writer
}

// Metric is the performance metric of a scenario.
type Metric struct {
	Name  string  `json:"name"`
	Value float64 `json:"value"`
}

// Result is the last line.
type Result struct {
	Scenario string `json:"scenario"`
	Model    string `json:"model"`
	Threads  int    `json:"threads"`
	// Samples and Seconds are those of this run.
	Samples int     `json:"samples"`
	Seconds float64 `json:"seconds"`
	Metric  Metric  `json:"metric"`
	// Done of Of samples are complete, including earlier runs.
	Done       int     `json:"done"`
	Of         int     `json:"of"`
	CPUSeconds float64 `json:"cpu_seconds"`
	ScaledDown bool    `json:"scaled_down"`
}

type line struct {
	Done    int     `json:"done"`
	Of      int     `json:"of"`
	Seconds float64 `json:"seconds"`
	Rate    float64 `json:"samples_per_second"`
}

func (o *Options) complete() error {
	var errs []error
	refuse := func(bad bool, format string, args ...any) {
		if bad {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	_, err := classifier.ParseModel(string(o.Model))
	errs = append(errs, err)
	refuse(o.Threads < 1 || o.Threads > 1024, "threads: %d is not from 1 to 1024", o.Threads)
	refuse(o.Samples < 1, "samples: %d is below 1", o.Samples)
	refuse(o.CPU < 0, "cpu: %d thousandths of a core are below 0", o.CPU)
	if o.Every == 0 {
		o.Every = time.Second
	}
	return errors.Join(errs...)
}

// Run classifies the remaining samples. If ctx ends before, it returns the partial result
// with ctx's error.
func Run(ctx context.Context, o Options) (Result, error) {
	if err := o.complete(); err != nil {
		return Result{}, fmt.Errorf("batch: %w", err)
	}
	from, err := o.load()
	if err != nil {
		return Result{}, err
	}
	if err := o.save(from); err != nil { // fail early if the file can't be written
		return Result{}, err
	}
	clock := share.System()
	quota := share.New(o.CPU, clock)
	pause := func() error { return quota.Pause(ctx) }
	network, err := classifier.New(o.Model, o.Seed, pause)
	if err != nil {
		return Result{}, err
	}
	images := make([]*classifier.Image, min(drawn, o.Samples))
	for i := range images {
		images[i] = classifier.Sample(uint64(i))
	}
	// Run the requested number of threads even on fewer cores, because it determines their
	// weight against other processes.
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(max(o.Threads, runtime.GOMAXPROCS(0))))
	t := newTally(from, o.Samples)
	began, usedBefore := clock.Now(), clock.Used()
	var threads sync.WaitGroup
	for range o.Threads {
		threads.Go(func() {
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			scratch := network.NewScratch()
			for i, more := t.assign(); more; i, more = t.assign() {
				if _, err := network.Predict(scratch, images[i%len(images)], pause); err != nil {
					return
				}
				t.complete(i)
			}
		})
	}
	stopped := make(chan struct{})
	go func() { threads.Wait(); close(stopped) }()
	failed := o.report(t, began, stopped)
	<-stopped
	seconds := clock.Now().Sub(began).Seconds()
	done, worked := t.done()
	r := Result{
		Scenario: "offline", Model: string(o.Model), Threads: o.Threads, Samples: worked, Seconds: thousandths(seconds),
		Metric: Metric{"samples_per_second", thousandths(float64(worked) / seconds)}, Done: done, Of: o.Samples,
		CPUSeconds: thousandths((clock.Used() - usedBefore).Seconds()), ScaledDown: worked < fullSamples || seconds < fullSeconds,
	}
	failed = errors.Join(failed, o.save(done), json.NewEncoder(o.Output).Encode(r))
	if done < o.Samples {
		failed = errors.Join(failed, ctx.Err())
	}
	return r, failed
}

// thousandths rounds to three decimals.
func thousandths(x float64) float64 { return math.Round(x*1000) / 1000 }

// report writes progress lines and the progress file until the threads stop.
func (o *Options) report(t *tally, began time.Time, stopped <-chan struct{}) error {
	ticker := time.NewTicker(o.Every)
	defer ticker.Stop()
	for {
		select {
		case <-stopped:
			return nil
		case <-ticker.C:
		}
		done, worked := t.done()
		seconds := time.Since(began).Seconds()
		if err := errors.Join(o.save(done), json.NewEncoder(o.Output).Encode(line{done, o.Samples, thousandths(seconds), thousandths(float64(worked) / seconds)})); err != nil {
			return err
		}
	}
}
