package loop

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"sync/atomic"
	"time"

	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/turn"
)

// Errors of Manager.Preview.
var (
	// ErrNoAgent means that no agent of that name runs in this process.
	ErrNoAgent = errors.New("no such agent runs here")
	// ErrPreviewBusy means that the same preview may succeed later.
	ErrPreviewBusy = errors.New("no preview can be made now")
)

// mostPreviews bounds the previews of a process at a time: each samples a whole fleet.
const mostPreviews = 2

// previews limits the previews of one agent to one at a time.
type previews struct {
	slot chan struct{}
	busy []atomic.Bool // by sensor: a sample of an earlier preview has not returned
}

func newPreviews(sensors int) previews {
	return previews{slot: make(chan struct{}, 1), busy: make([]atomic.Bool, sensors)}
}

// forked is a copy of an agent between two turns, or why there is none.
type forked struct {
	agent *agent
	err   error
}

// fork returns a copy of the agent that decides as its next turn does, and whose turns change
// nothing of this one. Only the loop's goroutine calls it.
func (a *agent) fork() forked {
	if !a.recovery.loaded {
		return forked{err: fmt.Errorf("%w: the agent has not read its memory from the journal yet", ErrPreviewBusy)}
	}
	specs := make([]engine.SensorSpec, len(a.spec.Sensors))
	for i, s := range a.spec.Sensors {
		specs[i] = s
		if a.sampler.busy[i].Load() { // a fork of it would wait
			specs[i].Sensor = overdueSensor{}
			continue
		}
		specs[i].Sensor = engine.ForkSensor(s.Sensor)
	}
	f := &agent{
		Agent: a.Agent.Fork(specs), m: a.m, spec: a.spec, log: a.log, rehearsed: maps.Clone(a.rehearsed),
		sampler: &sampler{specs: specs, busy: a.previews.busy, doubts: make([]doubt, len(specs))},
	}
	return forked{agent: f}
}

// overdueSensor stands for a sensor whose sample has not returned.
type overdueSensor struct{}

// Sample is part of engine.Sensor.
func (overdueSensor) Sample(context.Context, time.Time, []engine.Target) (engine.Reading, error) {
	return nil, errOverdue
}

// Preview decides as the next firing of an agent would now: on samples of its sensors, with
// its memory, claims, cooldowns and budgets, and the plans of its actuators. Nothing is done
// and nothing is written, and the agent's turns stay as they would be without it. It waits
// for the end of a turn in progress. The decisions rest on the state.
func (m *Manager) Preview(ctx context.Context, name string) (Preview, *turn.State, error) {
	a := m.find(name)
	if a == nil {
		return Preview{}, nil, fmt.Errorf("%w: %s", ErrNoAgent, name)
	}
	for _, slot := range []chan struct{}{a.previews.slot, m.previewSlots} { // in this order: one that has the second waits for no other
		select {
		case slot <- struct{}{}:
			defer func() { <-slot }()
		case <-ctx.Done():
			return Preview{}, nil, fmt.Errorf("%w: others are under way", ErrPreviewBusy)
		}
	}
	answer := make(chan forked, 1)
	select {
	case a.forks <- answer:
	case <-m.closed:
		return Preview{}, nil, fmt.Errorf("%w: the process ends", ErrPreviewBusy)
	case <-ctx.Done():
		return Preview{}, nil, fmt.Errorf("%w: the agent is in the middle of a turn", ErrPreviewBusy)
	}
	f := <-answer
	if f.err != nil {
		return Preview{}, nil, f.err
	}
	return f.agent.previewNow(ctx, a.sampler.problems())
}

// previewNow is the turn of a fork.
func (a *agent) previewNow(ctx context.Context, problems []string) (Preview, *turn.State, error) {
	now, rev := a.m.Clock.Now(), a.m.Policies.Pin()
	in := turn.Input{ID: previewID, Now: now, Trigger: engine.TriggerInfo{Kind: "manual"}, Revision: rev, Policy: a.m.Policies.Info(now), Problems: problems}
	a.fetchOnce(ctx, &in)
	o := a.Observe(in)
	if !o.Blocked() {
		if err := a.rehearse(ctx, rev, &in.Trigger, o.Documents); err != nil {
			o.Block(err)
		}
	}
	faults, state := o.Faults(), o.State()
	p, err := a.preview(ctx, o, in.Trigger)
	p.Faults = faults
	return p, state, err
}
