// Package leadership runs the agents of a process while it may: always where it is alone,
// in a term of the Lease where replicas share a cluster. It decides who leads and keeps a
// deposed leader from writing; it makes no agent. Start reading at Leader.
package leadership

import (
	"errors"
	"sync/atomic"
	"time"

	"github.com/scanflow-k8s/scanflow/engine/kubernetes/ledger"
	"github.com/scanflow-k8s/scanflow/engine/loop"
)

// ErrLedgerLost means that another process writes the ledger now.
var ErrLedgerLost = errors.New("the ledger has another writer")

// minRetention is the minimum horizon of a ledger.
const minRetention = 24 * time.Hour

// State tells the other parts of a process whether it leads, and with which manager and
// ledger. It is made before them, and is empty on a standby.
type State struct {
	manager atomic.Pointer[loop.Manager]
	ledger  atomic.Pointer[ledger.Ledger]
	fence   atomic.Pointer[func() error]
	horizon atomic.Int64 // in nanoseconds
}

// Lead records the manager that runs the agents here; nil once it ended.
func (s *State) Lead(manager *loop.Manager) { s.manager.Store(manager) }

// Manager returns the manager that runs the agents here; nil on a standby.
func (s *State) Manager() *loop.Manager { return s.manager.Load() }

// Leading reports whether the agents run here, and on no other replica.
func (s *State) Leading() bool { return s.Manager() != nil }

// Ledger returns the ledger of the term; nil between terms.
func (s *State) Ledger() *ledger.Ledger { return s.ledger.Load() }

// Fence returns nil while this process may write, and otherwise why not.
func (s *State) Fence() error {
	if fence := s.fence.Load(); fence != nil {
		return (*fence)()
	}
	return errors.New("another replica may lead")
}

// SetHorizon has the ledger of this term and of later ones remember as far back as the
// guards of the agents look.
func (s *State) SetHorizon(d time.Duration) {
	s.horizon.Store(int64(d))
	if log := s.Ledger(); log != nil {
		log.Keep(d)
	}
}

func (s *State) retention() time.Duration {
	return max(minRetention, time.Duration(s.horizon.Load()))
}

// LedgerFence returns ErrLedgerLost once the ledger has another writer. That writer
// recovers the running acts, even if this process still holds the lease, or needs none.
func LedgerFence(log *ledger.Ledger) error {
	if log == nil { // it is being opened
		return nil
	}
	select {
	case <-log.Lost():
		return ErrLedgerLost
	default:
		return nil
	}
}
