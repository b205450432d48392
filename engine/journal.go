package engine

import (
	"context"
	"time"
)

// Journal is the durable record of what was sensed, decided and done. Calls are safe for
// concurrent use; an implementation may batch them. An error means that nothing was
// written, and the engine does not act. It is the sum of what its callers depend on.
type Journal interface {
	TurnRecorder
	IntentStore
	ReadingStore
	Queue
	ApprovalStore
}

// TurnRecorder records turns.
type TurnRecorder interface {
	// NextFiring returns an id that no firing of this journal ever had or will have again,
	// across restarts and crashes too.
	NextFiring(ctx context.Context) (string, error)
	// RecordFiring writes a firing, its decisions, intents, notes, approvals and envelopes,
	// and acknowledges the event that it handled, in one transaction, durably, before any
	// act. A quiet firing costs one row.
	RecordFiring(ctx context.Context, f FiringRecord) error
}

// IntentStore keeps intents, from their admission to their conclusion.
type IntentStore interface {
	// Began records that an act was applied and has not ended. It may be written later.
	Began(ctx context.Context, identity string) error
	// Conclude writes the outcome of an intent.
	Conclude(ctx context.Context, c Conclusion) error
	// Open returns the intents of an agent without a conclusion.
	Open(ctx context.Context, agent string) ([]Intent, error)
	// Remember returns the acts of an agent: for each target, strategy and verb the last
	// one, and every act since the given time; with the last note of each target and strategy.
	Remember(ctx context.Context, agent string, since time.Time) (Recollection, error)
}

// ReadingStore keeps the last good values of an agent's sensors across restarts.
type ReadingStore interface {
	SaveReadings(ctx context.Context, agent string, readings []byte) error
	// LoadReadings returns what SaveReadings saved, nil if nothing was saved.
	LoadReadings(ctx context.Context, agent string) ([]byte, error)
}
