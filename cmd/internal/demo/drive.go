package demo

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/scanflow-k8s/scanflow/cmd/internal/classifier"
	"github.com/scanflow-k8s/scanflow/cmd/internal/load"
)

// drive sends images to the study's service through the phases of a load, and says
// when each begins. Whoever waits for begun is told when the first does.
func (tb *testbed) drive(ctx context.Context, phases []load.Phase, begun ...chan<- time.Time) (*load.Result, error) {
	s := tb.screen
	sample := classifier.Sample(tb.o.Seed)
	generator, err := load.New(load.Options{
		URL: tb.url, Phases: phases, Seed: tb.o.Seed, Timeout: requestTimeout,
		Body: func(int) (string, []byte) { return "application/octet-stream", sample[:] },
	})
	if err != nil {
		return nil, err
	}
	telling, over := context.WithCancel(ctx)
	var tasks sync.WaitGroup
	defer func() { over(); tasks.Wait() }()
	begin := time.Now()
	s.begin(begin)
	tb.records.restart(begin)
	for _, c := range begun {
		c <- begin
	}
	tasks.Go(func() {
		for _, p := range phases {
			if !waitUntil(telling, begin) {
				return
			}
			s.printf("  %s  %s", s.clock(begin), s.title("load: "+describe(p)))
			begin = begin.Add(p.Duration)
		}
	})
	return generator.Run(ctx)
}

// requestTimeout is how long a client waits for its answer.
const requestTimeout = 20 * time.Second

// saturation is how many requests a second a service answers that is never without one:
// so many clients ask, each again as soon as it has its answer.
func (tb *testbed) saturation(ctx context.Context, clients int, d time.Duration) (float64, error) {
	sample := classifier.Sample(tb.o.Seed)
	ctx, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	var answered atomic.Int64
	var tasks sync.WaitGroup
	var failed errorOnce
	for range clients {
		tasks.Go(func() {
			for ctx.Err() == nil {
				switch err := post(ctx, tb.url, sample[:]); {
				case err == nil:
					answered.Add(1)
				case ctx.Err() == nil:
					failed.set(err)
					return
				}
			}
		})
	}
	tasks.Wait()
	return float64(answered.Load()) / d.Seconds(), failed.err
}

// errorOnce keeps the first error.
type errorOnce struct {
	once sync.Once
	err  error
}

func (e *errorOnce) set(err error) { e.once.Do(func() { e.err = err }) }

// post sends one image.
func post(ctx context.Context, url string, body []byte) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/octet-stream")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, resp.Body)
	if resp.StatusCode != http.StatusOK {
		err = errors.Join(err, fmt.Errorf("%s answers %s", url, resp.Status))
	}
	return errors.Join(err, resp.Body.Close())
}
