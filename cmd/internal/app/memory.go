package app

import (
	"os"
	"runtime/debug"
)

// gcPercent lets the heap grow by half between collections, not by as much again:
// over a fleet of 10,000 a tick makes much garbage and keeps little, and memory is
// dearer to an agent than the processor time (docs/performance.md has both).
const gcPercent = 50

// maxStack bounds one goroutine's stack, in bytes: a recursion without end ends the process,
// and must not take a gigabyte before.
const maxStack = 256 << 20

// FavourMemory sets both; the first, unless the environment's GOGC says otherwise.
func FavourMemory() {
	debug.SetMaxStack(maxStack)
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
}
