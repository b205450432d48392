package loop

import (
	"context"
	"sync"
	"time"

	"github.com/scanflow-k8s/scanflow/engine"
)

// How agents start and end:
//
//	Apply       start the new ones; stop the others: loop, then acts, within the grace
//	BeginClose  no further turn or delivery begins; the grace of all begins
//	Close       wait for each, cut off what has not ended within the grace

// start runs an agent. It is in the map before it runs, so that it is passed what it can't
// read from the journal yet.
func (m *Manager) start(a *agent) {
	loopCtx, stopLoop := context.WithCancel(context.Background())
	actCtx, stopActs := context.WithCancel(context.Background())
	done := make(chan struct{})
	stop := func() {
		defer stopActs()
		stopLoop()
		m.awaitEnd(a, done)
		stopActs()
		last, stopTimer := m.Clock.Timer(abandonAfter)
		defer stopTimer()
		select {
		case <-done:
			a.log.Info("agent stopped")
		case <-last:
			a.log.Error("agent did not stop: a strategy, a guard or an adapter of it does not heed its end")
		}
	}
	m.mu.Lock()
	m.agents[a.Name()] = &running{agent: a, halt: stopLoop, stop: stop}
	select {
	case <-m.closed: // in the meantime
		stopLoop()
	default:
	}
	m.mu.Unlock()
	go func() {
		defer close(done)
		a.run(loopCtx, actCtx)
	}()
	a.log.Info("agent started", "mode", a.spec.Mode, "strategies", a.spec.Strategies, "generation", a.spec.Generation)
}

// stop ends the agents that are not wanted as they are, and returns their names.
func (m *Manager) stop(wanted map[string]engine.Spec) (stopped []string) {
	m.mu.Lock()
	var drop []*running
	for name, r := range m.agents {
		if s, still := wanted[name]; !still || s.Generation != r.agent.spec.Generation {
			delete(m.agents, name)
			drop = append(drop, r)
			stopped = append(stopped, name)
		}
	}
	m.mu.Unlock()
	var stopping sync.WaitGroup
	for _, r := range drop {
		stopping.Go(r.stop)
	}
	stopping.Wait()
	return stopped
}

const (
	// returnWithin bounds an evaluation or a sample in progress when the process ends. After
	// that the manager checks for acts in progress every pollInterval.
	returnWithin = 2 * time.Second
	pollInterval = 100 * time.Millisecond
	// abandonAfter bounds the wait for an agent whose context was cancelled.
	abandonAfter = time.Second
)

// awaitEnd waits until an agent has ended, or its grace is over. The grace is for acts: where
// the process ends, an agent that has none in progress and does not end is stuck.
func (m *Manager) awaitEnd(a *agent, done <-chan struct{}) {
	grace, stopGrace := m.Clock.Timer(m.Grace)
	defer stopGrace()
	check, stopCheck := m.Clock.Timer(returnWithin)
	defer func() { stopCheck() }()
	for {
		select {
		case <-done:
			return
		case <-grace:
			return
		case <-m.cut:
			return
		case <-check:
		}
		select {
		case <-m.closed:
			if a.runner.inProgress.Load() == 0 {
				return
			}
		default:
		}
		check, stopCheck = m.Clock.Timer(pollInterval)
	}
}

// BeginClose starts no turn and no delivery any more. What has not ended within the grace,
// which begins now, is cut off. Close waits for it.
func (m *Manager) BeginClose() {
	m.closing.Do(func() {
		close(m.closed)
		m.mu.Lock()
		for _, r := range m.agents {
			r.halt()
		}
		m.mu.Unlock()
		if m.outbox != nil {
			m.outbox.Retire()
		}
		grace, stop := m.Clock.Timer(m.Grace)
		m.work.Go(func() {
			defer stop()
			select {
			case <-grace:
				close(m.cut)
			case <-m.done:
			}
		})
	})
}

// Close stops every agent, and returns when each has ended. The inboxes still take events,
// for the next start.
func (m *Manager) Close() {
	m.BeginClose()
	m.applying.Lock()
	defer m.applying.Unlock()
	m.stop(nil)
	if m.outbox != nil {
		m.outbox.Stop()
	}
	select {
	case <-m.done:
	default:
		close(m.done)
	}
	m.work.Wait()
}
