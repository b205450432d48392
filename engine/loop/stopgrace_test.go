package loop_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/engine"
)

// unresponsive is a sensor and actuator that blocks and ignores its context.
type unresponsive struct {
	begun   chan struct{}
	release chan struct{}
	acts    bool // only Apply blocks
}

func newUnresponsive(t *testing.T) *unresponsive {
	d := &unresponsive{begun: make(chan struct{}, 100), release: make(chan struct{})}
	t.Cleanup(func() { close(d.release) })
	return d
}

func (d *unresponsive) wait() { d.begun <- struct{}{}; <-d.release }

func (d *unresponsive) Sample(context.Context, time.Time, []engine.Target) (engine.Reading, error) {
	d.wait()
	return nil, errors.New("released")
}

func (d *unresponsive) Plan(_ context.Context, p engine.Proposal) (engine.Change, error) {
	if !d.acts {
		d.wait()
	}
	return engine.Change{Proposal: p, Diff: "more"}, nil
}

func (d *unresponsive) Apply(context.Context, engine.Change) (engine.Outcome, error) {
	d.wait()
	return engine.Outcome{}, errors.New("released")
}

// The grace period of a stop is for acts. A sensor or a plan that hangs is waited for only
// briefly.
func TestOnlyActsUseTheGracePeriodOfAStop(t *testing.T) {
	const grace = 10 * time.Second
	scales := func(b *bench, d *unresponsive) engine.Spec {
		b.world.set("digits", 1)
		b.load.setValue("digits", 40)
		verb := b.verbs["scale"]
		verb.Actuator = d
		b.verbs["scale"] = verb
		return b.spec()
	}
	for name, hang := range map[string]func(b *bench, d *unresponsive) engine.Spec{
		"a sensor": func(b *bench, d *unresponsive) engine.Spec {
			return b.spec(func(s *engine.Spec) {
				s.Sensors = append(s.Sensors, engine.SensorSpec{Name: "deaf", Sensor: d, Timeout: time.Hour})
			})
		},
		"a plan": scales,
		"an act": func(b *bench, d *unresponsive) engine.Spec { d.acts = true; return scales(b, d) },
	} {
		t.Run(name, func(t *testing.T) {
			b, d := newBench(t), newUnresponsive(t)
			b.run(hang(b, d))
			b.clock.Advance(10 * time.Second)
			receive(t, d.begun)
			began := b.clock.Now()
			b.closeManager()
			if took := b.clock.Now().Sub(began); d.acts {
				require.GreaterOrEqual(t, took, grace)
			} else {
				require.Less(t, took, grace/2)
			}
		})
	}
}
