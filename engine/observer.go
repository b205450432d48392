package engine

// Observer is told what the engine did, for metrics, logs and screens. Calls
// come from many goroutines and must not block.
type Observer interface {
	// Fired is called at the end of each firing, recorded or not: Problems says so
	// where the journal could not take it.
	Fired(f FiringRecord)
	// Acted is called when an act ends, dry runs included.
	Acted(a Act)
}

// Observers tells several observers, in their order.
type Observers []Observer

// Fired tells each.
func (o Observers) Fired(f FiringRecord) {
	for _, each := range o {
		each.Fired(f)
	}
}

// Acted tells each.
func (o Observers) Acted(a Act) {
	for _, each := range o {
		each.Acted(a)
	}
}
