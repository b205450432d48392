package loop_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/engine"
)

// doubtful is a sensor whose source may ignore what it is told.
type doubtful struct {
	dial
	mu     sync.Mutex
	fails  bool
	says   string
	known  bool
	asked  []time.Time // when what was found out before was last known to hold no more
	answer chan struct{}
}

func (d *doubtful) Sample(ctx context.Context, at time.Time, fleet []engine.Target) (engine.Reading, error) {
	d.mu.Lock()
	fails := d.fails
	d.mu.Unlock()
	if fails {
		return nil, errors.New("refused")
	}
	return d.dial.Sample(ctx, at, fleet)
}

func (d *doubtful) Doubt(ctx context.Context, _, since time.Time) (string, bool) {
	d.mu.Lock()
	d.asked = append(d.asked, since)
	says, known := d.says, d.known
	d.mu.Unlock()
	select {
	case <-d.answer:
	case <-ctx.Done():
		return "", false
	}
	return says, known
}

func (d *doubtful) set(fails bool, says string, known bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.fails, d.says, d.known = fails, says, known
}

func (d *doubtful) times() []time.Time {
	d.mu.Lock()
	defer d.mu.Unlock()
	return append([]time.Time{}, d.asked...)
}

// reply lets one question be answered, and waits until it is.
func (d *doubtful) reply(t *testing.T) {
	t.Helper()
	select {
	case d.answer <- struct{}{}:
	case <-time.After(20 * time.Second):
		require.FailNow(t, "nothing was asked")
	}
}

// No turn waits for what a source does with what it is told. What is found out is a
// problem of the firings after; it is asked again after an error, and once it was not
// known; and a stop ends it.
func TestWhatASourceIgnoresIsAProblem(t *testing.T) {
	b := newBench(t)
	b.world.set("a", 1)
	d := &doubtful{dial: dial{values: map[string]engine.Signal{}}, answer: make(chan struct{})}
	d.to("a", 10)
	b.run(b.spec(func(s *engine.Spec) { s.Sensors[0].Sensor = d }))
	tells := func(want ...string) {
		t.Helper()
		var last []string
		for range 100 { // the answer is taken up by the first turn after it has come back
			if last = b.tick().Problems; len(last) == len(want) {
				break
			}
		}
		require.ElementsMatch(t, want, last)
	}
	d.set(false, "staleAfter is ignored", true)
	require.Empty(t, b.tick().Problems, "it has not answered, and nobody waits")
	require.Empty(t, b.tick().Problems)
	require.Len(t, d.times(), 1, "one at a time")
	d.reply(t)
	tells("sensor load: staleAfter is ignored")
	require.Equal(t, []time.Time{{}}, d.times(), "what is known is not asked again")

	d.set(true, "", true) // another server, after an outage
	tells("sensor load: refused", "sensor load: staleAfter is ignored")
	failed := b.clock.Now()
	d.set(false, "", false)
	tells("sensor load: staleAfter is ignored")
	d.reply(t)
	require.Equal(t, failed, d.times()[1])
	tells("sensor load: staleAfter is ignored")
	d.set(false, "", true)
	for range 7 {
		b.tick()
	}
	d.reply(t)
	tells()

	d.set(true, "", true)
	b.tick()
	d.set(false, "", true)
	b.tick() // asked once more, and not answered: the end of the test must not hang
}
