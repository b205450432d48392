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

// doubtfulSensor is a sensor whose source may ignore an option.
type doubtfulSensor struct {
	fakeSensor
	mu      sync.Mutex
	fails   bool
	doubt   string
	known   bool
	sinces  []time.Time // the since of each call
	release chan struct{}
}

func (d *doubtfulSensor) Sample(ctx context.Context, at time.Time, fleet []engine.Target) (engine.Reading, error) {
	d.mu.Lock()
	fails := d.fails
	d.mu.Unlock()
	if fails {
		return nil, errors.New("refused")
	}
	return d.fakeSensor.Sample(ctx, at, fleet)
}

func (d *doubtfulSensor) Doubt(ctx context.Context, _, since time.Time) (string, bool) {
	d.mu.Lock()
	d.sinces = append(d.sinces, since)
	doubt, known := d.doubt, d.known
	d.mu.Unlock()
	select {
	case <-d.release:
	case <-ctx.Done():
		return "", false
	}
	return doubt, known
}

func (d *doubtfulSensor) set(fails bool, doubt string, known bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.fails, d.doubt, d.known = fails, doubt, known
}

func (d *doubtfulSensor) times() []time.Time {
	d.mu.Lock()
	defer d.mu.Unlock()
	return append([]time.Time{}, d.sinces...)
}

// reply lets one call of Doubt return, and waits for that.
func (d *doubtfulSensor) reply(t *testing.T) {
	t.Helper()
	select {
	case d.release <- struct{}{}:
	case <-time.After(20 * time.Second):
		require.FailNow(t, "Doubt was not called")
	}
}

// Doubt runs beside the turns. Its result is a problem of all later firings. It is called
// again after the sensor failed and after an unknown result, and a stop cancels it.
func TestAnOptionThatASourceIgnoresIsAProblem(t *testing.T) {
	b := newBench(t)
	b.world.set("a", 1)
	d := &doubtfulSensor{fakeSensor: fakeSensor{values: map[string]engine.Signal{}}, release: make(chan struct{})}
	d.setValue("a", 10)
	b.run(b.spec(func(s *engine.Spec) { s.Sensors[0].Sensor = d }))
	problems := func(want ...string) {
		t.Helper()
		var last []string
		for range 100 { // the result is used by the first turn after it arrived
			if last = b.tick().Problems; len(last) == len(want) {
				break
			}
		}
		require.ElementsMatch(t, want, last)
	}
	d.set(false, "staleAfter is ignored", true)
	require.Empty(t, b.tick().Problems, "no turn waits for Doubt")
	require.Empty(t, b.tick().Problems)
	require.Len(t, d.times(), 1, "one at a time")
	d.reply(t)
	problems("sensor load: staleAfter is ignored")
	require.Equal(t, []time.Time{{}}, d.times(), "a known result is not fetched again")

	d.set(true, "", true) // another server, after an outage
	problems("sensor load: refused", "sensor load: staleAfter is ignored")
	failed := b.clock.Now()
	d.set(false, "", false)
	problems("sensor load: staleAfter is ignored")
	d.reply(t)
	require.Equal(t, failed, d.times()[1])
	problems("sensor load: staleAfter is ignored")
	d.set(false, "", true)
	for range 7 {
		b.tick()
	}
	d.reply(t)
	problems()

	d.set(true, "", true)
	b.tick()
	d.set(false, "", true)
	b.tick() // Doubt is called once more and blocks: the end of the test must not hang
}
