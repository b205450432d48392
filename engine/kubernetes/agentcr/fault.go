package agentcr

import (
	"errors"
	"fmt"
)

// Fault is why the agents of the cluster are not known at this moment; nil where they
// are watched.
func (s *Source) Fault() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.last != nil {
		return fmt.Errorf("list the agents of the cluster: %w", s.last)
	}
	select {
	case <-s.store.synced:
		return nil
	default:
		return errors.New("the agents of the cluster are not listed yet")
	}
}
