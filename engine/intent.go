package engine

import "time"

// Intent is an admitted change whose act is about to begin.
type Intent struct {
	Change
	Firing    string
	Claim     string
	Direction Direction
	At        time.Time
	DryRun    bool
	// Ready is how many replicas of the target were ready when the act was admitted; nil where
	// that is not known.
	Ready *int
	// Irreproducible is set where no strategy proposes the act again if it is lost: the event or the
	// approval that caused it is used up.
	Irreproducible bool
	// Begun reports whether the act was applied, as recorded by Began.
	Begun bool
}

// Conclusion is the outcome of an intent.
type Conclusion struct {
	Identity string
	Outcome  Outcome
	At       time.Time
}

// Act is an intent with its outcome.
type Act struct {
	Intent
	Outcome Outcome // Status Running while it has no conclusion
	EndedAt time.Time
}

// Recollection is an agent's memory as the journal keeps it.
type Recollection struct {
	Acts  []Act // oldest first
	Notes []Note
}
