package loop_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"

	"github.com/scanflow-k8s/scanflow/engine"
)

// hooking calls the webhook for each event, with the same body, and at each tick with high load.
const hooking = `package scanflow.strategies.t.hooking

propose contains {"primitive": "webhook", "with": {"body": "retrain"}, "reason": "asked", "because": []} if input.trigger.kind == "event"

propose contains {"primitive": "webhook", "with": {"body": "high"}, "reason": "high", "because": ["load"]} if {
	input.trigger.kind == "every"
	input.signals.load.value > 30
}
`

// fakeReceiver is a webhook's address that responds as the test says and records the requests.
type fakeReceiver struct {
	mu       sync.Mutex
	respond  func(n int) (string, error) // to the n-th request, from 1
	accepted []string                    // the ids of the requests that succeeded
	requests []string                    // the ids of all
}

func (d *fakeReceiver) Deliver(_ context.Context, _ engine.Destination, events []engine.Event) ([]engine.Receipt, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if events[0].Call == nil { // to the peer
		receipts := make([]engine.Receipt, len(events))
		for i := range receipts {
			receipts[i].Verdict = engine.Accepted
		}
		return receipts, nil
	}
	if len(events) != 1 {
		return nil, errors.New("a call must be delivered alone")
	}
	d.requests = append(d.requests, events[0].ID)
	status, err := "200 OK", error(nil)
	if d.respond != nil {
		status, err = d.respond(len(d.requests))
	}
	if err == nil {
		d.accepted = append(d.accepted, events[0].ID)
	}
	return []engine.Receipt{{ID: events[0].ID, Source: events[0].Source, Verdict: engine.Accepted, Why: status}}, err
}

func (d *fakeReceiver) respondWith(respond func(n int) (string, error)) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.respond = respond
}

func (d *fakeReceiver) counts() (requests, accepted int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.requests), len(d.accepted)
}

func (d *fakeReceiver) acceptedIDs() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.accepted)
}

func connectionRefused(int) (string, error) {
	return "", engine.Retry(errors.New("connection refused"))
}

func callsWebhook(s *engine.Spec) {
	handlesEvents(s)
	s.Name, s.Strategies, s.Primitives = "pager", []string{"t.hooking"}, []string{"webhook"}
}

func newReceiverBench(t *testing.T) (*bench, *fakeReceiver) {
	b := newBench(t, hooking)
	b.close()
	d := &fakeReceiver{}
	b.deliverer = d
	b.open()
	b.world.set("web", 1)
	return b, d
}

// nextActs moves the clock until n acts have ended.
func (b *bench) nextActs(n int) (acts []engine.Act) {
	b.t.Helper()
	b.eventually(func() bool {
		for len(acts) < n {
			select {
			case a := <-b.acted:
				acts = append(acts, a)
			default:
				return false
			}
		}
		return true
	})
	return acts
}
