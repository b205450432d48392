package loop_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/engine"
)

// deaf blocks where it is asked, and does not heed its context.
type deaf struct {
	begun   chan struct{}
	release chan struct{}
	acts    bool // it plans, and blocks in its acts
}

func newDeaf(t *testing.T) *deaf {
	d := &deaf{begun: make(chan struct{}, 100), release: make(chan struct{})}
	t.Cleanup(func() { close(d.release) })
	return d
}

func (d *deaf) wait() { d.begun <- struct{}{}; <-d.release }

func (d *deaf) Sample(context.Context, time.Time, []engine.Target) (engine.Reading, error) {
	d.wait()
	return nil, errors.New("released")
}

func (d *deaf) Plan(_ context.Context, p engine.Proposal) (engine.Change, error) {
	if !d.acts {
		d.wait()
	}
	return engine.Change{Proposal: p, Diff: "more"}, nil
}

func (d *deaf) Apply(context.Context, engine.Change) (engine.Outcome, error) {
	d.wait()
	return engine.Outcome{}, errors.New("released")
}

// The grace of a stop is for acts: what is stuck in something else holds it up for little.
func TestWhatIsStuckTakesNoGraceOfAStop(t *testing.T) {
	const grace = 10 * time.Second
	scales := func(b *bench, d *deaf) engine.Spec {
		b.world.set("digits", 1)
		b.load.to("digits", 40)
		verb := b.verbs["scale"]
		verb.Actuator = d
		b.verbs["scale"] = verb
		return b.spec()
	}
	for name, hang := range map[string]func(b *bench, d *deaf) engine.Spec{
		"a sensor": func(b *bench, d *deaf) engine.Spec {
			return b.spec(func(s *engine.Spec) {
				s.Sensors = append(s.Sensors, engine.SensorSpec{Name: "deaf", Sensor: d, Timeout: time.Hour})
			})
		},
		"a plan": scales,
		"an act": func(b *bench, d *deaf) engine.Spec { d.acts = true; return scales(b, d) },
	} {
		t.Run(name, func(t *testing.T) {
			b, d := newBench(t), newDeaf(t)
			b.run(hang(b, d))
			b.clock.Advance(10 * time.Second)
			receive(t, d.begun)
			began := b.clock.Now()
			b.closes()
			if took := b.clock.Now().Sub(began); d.acts {
				require.GreaterOrEqual(t, took, grace)
			} else {
				require.Less(t, took, grace/2)
			}
		})
	}
}
