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
