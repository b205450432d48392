package loop_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"

	"github.com/scanflow-k8s/scanflow/engine"
)

// hooking calls for each event with the same body, and, where the load is high, at each tick.
const hooking = `package scanflow.strategies.t.hooking

propose contains {"primitive": "webhook", "with": {"body": "retrain"}, "reason": "asked", "because": []} if input.trigger.kind == "event"

propose contains {"primitive": "webhook", "with": {"body": "high"}, "reason": "high", "because": ["load"]} if {
	input.trigger.kind == "every"
	input.signals.load.value > 30
}
`

// desk is an address that answers as it is told, and notes whom.
type desk struct {
	mu     sync.Mutex
	answer func(n int) (string, error) // of the n-th request, from 1
	took   []string                    // identities, of those answered well
	asked  []string                    // of all
}

func (d *desk) Deliver(_ context.Context, _ engine.Destination, events []engine.Event) ([]engine.Receipt, error) {
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
		return nil, errors.New("a call goes alone")
	}
	d.asked = append(d.asked, events[0].ID)
	said, err := "200 OK", error(nil)
	if d.answer != nil {
		said, err = d.answer(len(d.asked))
	}
	if err == nil {
		d.took = append(d.took, events[0].ID)
	}
	return []engine.Receipt{{ID: events[0].ID, Source: events[0].Source, Verdict: engine.Accepted, Why: said}}, err
}

func (d *desk) says(answer func(n int) (string, error)) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.answer = answer
}

func (d *desk) counts() (asked, took int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.asked), len(d.took)
}

func (d *desk) taken() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.took)
}

func away(int) (string, error) { return "", engine.Retry(errors.New("connection refused")) }

func hooks(s *engine.Spec) {
	answers(s)
	s.Name, s.Strategies, s.Primitives = "pager", []string{"t.hooking"}, []string{"webhook"}
}

func newDesk(t *testing.T) (*bench, *desk) {
	b := newBench(t, hooking)
	b.close()
	d := &desk{}
	b.courier = d
	b.open()
	b.world.set("web", 1)
	return b, d
}

// passes moves the clock until n acts have come to their end.
func (b *bench) passes(n int) (acts []engine.Act) {
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
