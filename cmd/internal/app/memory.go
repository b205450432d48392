package app

import (
	"os"
	"runtime/debug"
)

// gcPercent lets the heap grow by half between collections instead of doubling. A tick
// over a fleet of 10,000 makes much garbage and keeps little, and an agent would rather
// spend processor time than memory (docs/performance.md measures both).
const gcPercent = 50

// maxStack bounds the stack of a goroutine, in bytes. An endless recursion ends the
// process, and must not use a gigabyte before.
const maxStack = 256 << 20

// LimitMemory sets both for this process; the first, unless GOGC is in the environment.
func LimitMemory() {
	debug.SetMaxStack(maxStack)
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
}
