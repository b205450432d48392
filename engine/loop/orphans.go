package loop

import (
	"context"
	"time"
)

const (
	// lapseDeadline bounds one attempt to lapse the approvals of agents that are gone, and
	// lapseAgain is the pause after one that failed.
	lapseDeadline = 5 * time.Second
	lapseAgain    = 5 * time.Second
)

// lapseOrphans lapses the approvals of agents that are gone, now or as soon as the journal can
// be read and written. An agent may have been removed while no process ran, so each Apply
// calls it. The lock applying is held.
func (m *Manager) lapseOrphans() {
	err := m.tryLapse()
	if err == nil || m.lapsing {
		return
	}
	m.lapsing = true
	m.Log.Error("the questions of agents that are gone can't lapse yet", "error", err)
	m.work.Go(func() {
		for {
			again, stop := m.Clock.Timer(lapseAgain)
			select {
			case <-again:
			case <-m.closed:
				stop()
				return
			}
			if !m.applying.TryLock() { // an Apply tries it itself, and Close waits for this
				continue
			}
			err := m.tryLapse()
			if err == nil {
				m.lapsing = false
			}
			m.applying.Unlock()
			if err == nil {
				return
			}
		}
	})
}

// tryLapse tries once. The lock applying is held, so that no agent starts meanwhile.
func (m *Manager) tryLapse() error {
	ctx, cancel := context.WithTimeout(context.Background(), lapseDeadline)
	defer cancel()
	return m.Approvals.LapseOrphans(ctx, func(agent string) bool {
		return m.wants(agent) || m.Declared != nil && m.Declared(agent)
	})
}
