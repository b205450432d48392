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

// runLoad sends images to the study's service in the phases of a load, and prints when each
// begins. It sends the time of the beginning to the channels.
func (tb *testbed) runLoad(ctx context.Context, phases []load.Phase, started ...chan<- time.Time) (*load.Result, error) {
	s := tb.screen
	sample := classifier.Sample(tb.o.Seed)
	generator, err := load.New(load.Options{
		URL: tb.url, Phases: phases, Seed: tb.o.Seed, Timeout: requestTimeout,
		Body: func(int) (string, []byte) { return "application/octet-stream", sample[:] },
	})
	if err != nil {
		return nil, err
	}
	logCtx, over := context.WithCancel(ctx)
	var tasks sync.WaitGroup
	defer func() { over(); tasks.Wait() }()
	begin := time.Now()
	s.setStart(begin)
	tb.records.restart(begin)
	for _, c := range started {
		c <- begin
	}
	tasks.Go(func() {
		for _, p := range phases {
			if !waitUntil(logCtx, begin) {
				return
			}
			s.printf("  %s  %s", s.clock(begin), s.title("load: "+describePhase(p)))
			begin = begin.Add(p.Duration)
		}
	})
	return generator.Run(ctx)
}

// requestTimeout bounds the wait of a client for its response.
const requestTimeout = 20 * time.Second

// throughput measures the requests per second that a service answers at saturation: each
// client sends its next request as soon as it has a response.
func (tb *testbed) throughput(ctx context.Context, clients int, d time.Duration) (float64, error) {
	sample := classifier.Sample(tb.o.Seed)
	ctx, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	var answered atomic.Int64
	var tasks sync.WaitGroup
	var failed firstError
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

// firstError keeps the first error.
type firstError struct {
	once sync.Once
	err  error
}

func (e *firstError) set(err error) { e.once.Do(func() { e.err = err }) }

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
