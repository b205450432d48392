package predictionlog

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/scanflow-k8s/scanflow/cmd/internal/digits"
	"github.com/scanflow-k8s/scanflow/cmd/internal/digits/samples"
	"github.com/scanflow-k8s/scanflow/engine/mlflow"
)

// Options configures a log. Zero values take the defaults given here.
type Options struct {
	Client     *mlflow.Client
	Experiment string // made if it isn't there
	Model      string // the version that makes the predictions
	Writer     string // who serves, for a person: a pod's name
	// Batch is the number of predictions in a run: 100.
	Batch int
	// Every bounds the time that the first prediction of a batch waits for the others: 1 s.
	Every time.Duration
	// Queue bounds the predictions that wait to be written; more are dropped: 5,000.
	Queue int
	// Pause is the wait before a batch is written again after an error, doubled each time up to
	// 16 times as much: 500 ms.
	Pause  time.Duration
	Now    func() time.Time // nil: the machine's
	Logger hclog.Logger     // may be nil
}

func (o *Options) complete() error {
	var errs []error
	refuse := func(bad bool, text string) {
		if bad {
			errs = append(errs, errors.New(text))
		}
	}
	refuse(o.Client == nil, "no tracker to write to")
	refuse(o.Experiment == "", "no experiment to write to")
	refuse(o.Batch < 0 || o.Every < 0 || o.Queue < 0 || o.Pause < 0, "batch, every, queue and pause can't be below 0")
	defaultTo(&o.Batch, 100)
	defaultTo(&o.Every, time.Second)
	defaultTo(&o.Queue, 5000)
	defaultTo(&o.Pause, 500*time.Millisecond)
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Logger == nil {
		o.Logger = hclog.NewNullLogger()
	}
	return errors.Join(errs...)
}

func defaultTo[T comparable](v *T, value T) {
	var zero T
	if *v == zero {
		*v = value
	}
}

// Log writes predictions. It is safe for concurrent use.
type Log struct {
	o       Options
	queue   chan samples.Sample
	closing chan struct{}
	done    chan struct{}
	cancel  context.CancelFunc // cuts off what is being written
	metrics metrics
	// Used by the writing goroutine only.
	experiment string // its id, once it is known
	cutOff     int    // predictions of a batch that Close did not wait for
}

// Start starts the log. The caller must Close it.
func Start(o Options) (*Log, error) {
	if err := o.complete(); err != nil {
		return nil, fmt.Errorf("log predictions: %w", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	l := &Log{
		o: o, queue: make(chan samples.Sample, o.Queue), closing: make(chan struct{}), done: make(chan struct{}),
		cancel: cancel, metrics: newMetrics(),
	}
	go l.run(ctx)
	return l, nil
}

// Record queues a prediction, or drops it; it never blocks. The label is the true digit, or
// digits.NoClass if it is not known.
func (l *Log) Record(img *digits.Image, p digits.Prediction, label int) {
	s := samples.Sample{Image: *img, Label: label, Model: l.o.Model, Predicted: p.Class, Confidence: p.Confidence}
	select {
	case l.queue <- s:
	default:
		l.metrics.dropped.Inc()
	}
}

// Close writes the queue, and ends. Predictions that are not written when ctx ends are dropped,
// and the error has their number. Record must not be called any more. Close is called once.
func (l *Log) Close(ctx context.Context) error {
	close(l.closing)
	defer l.cancel()
	select {
	case <-l.done:
		return nil
	case <-ctx.Done():
	}
	l.cancel()
	<-l.done
	l.metrics.dropped.Add(float64(len(l.queue)))
	if lost := len(l.queue) + l.cutOff; lost > 0 {
		return fmt.Errorf("log predictions: %d that waited are lost: %w", lost, ctx.Err())
	}
	return nil
}

// run writes batch after batch until the log is closed and the queue is empty, or
// ctx ends.
func (l *Log) run(ctx context.Context) {
	defer close(l.done)
	for ctx.Err() == nil {
		batch := l.collect(ctx)
		if len(batch) == 0 {
			return
		}
		l.write(ctx, batch)
	}
}

// collect returns a batch once it is full, or once its first prediction has waited for Every.
// The batch is empty at the end.
func (l *Log) collect(ctx context.Context) []samples.Sample {
	var batch []samples.Sample
	select {
	case s := <-l.queue:
		batch = append(batch, s)
	case <-l.closing:
		return l.rest(nil)
	case <-ctx.Done():
		return nil
	}
	full := time.NewTimer(l.o.Every)
	defer full.Stop()
	for len(batch) < l.o.Batch {
		select {
		case s := <-l.queue:
			batch = append(batch, s)
		case <-full.C:
			return batch
		case <-l.closing:
			return l.rest(batch)
		case <-ctx.Done():
			return batch
		}
	}
	return batch
}

// rest fills a batch from the queue.
func (l *Log) rest(batch []samples.Sample) []samples.Sample {
	for len(batch) < l.o.Batch {
		select {
		case s := <-l.queue:
			batch = append(batch, s)
		default:
			return batch
		}
	}
	return batch
}
