package wiring

import (
	"os"
	"runtime/debug"
)

// gcPercent lets the heap grow by half between collections, not by as much again:
// over a fleet of 10,000 a tick makes much garbage and keeps little, and memory is
// dearer to an agent than the processor time (docs/performance.md has both).
const gcPercent = 50

// FavourMemory sets it, unless the environment's GOGC says otherwise.
func FavourMemory() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
}
