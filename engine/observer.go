package engine

// Observer receives what the engine did, for metrics, logs and screens. Calls come from
// many goroutines and must not block.
type Observer interface {
	// Fired is called at the end of each firing. Where the journal could not record it,
	// Problems says so.
	Fired(f FiringRecord)
	// Acted is called when an act ends, dry runs included.
	Acted(a Act)
}

// StallObserver is an Observer that also receives what keeps a running act from its end.
type StallObserver interface {
	Observer
	// Stalled is called when the Outcome.Obstacle of a running act appears, when it changes in
	// more than numbers, and with an empty one once it is gone; on one act at most every ten
	// seconds. Acted follows when the act ends, whether it is stalled or not.
	Stalled(a Act)
}

// Observers calls several observers, in order.
type Observers []Observer

// Fired calls each.
func (o Observers) Fired(f FiringRecord) {
	for _, each := range o {
		each.Fired(f)
	}
}

// Acted calls each.
func (o Observers) Acted(a Act) {
	for _, each := range o {
		each.Acted(a)
	}
}

// Stalled calls each StallObserver.
func (o Observers) Stalled(a Act) {
	for _, each := range o {
		if each, ok := each.(StallObserver); ok {
			each.Stalled(a)
		}
	}
}
