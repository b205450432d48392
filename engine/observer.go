package engine

// Observer is told what the engine did, for metrics, logs and screens. Calls
// come from many goroutines and must not block.
type Observer interface {
	// Fired is called at the end of each firing. lag is how late it began.
	Fired(f FiringRecord)
	// Acted is called when an act ends, dry runs included.
	Acted(a Act)
}
