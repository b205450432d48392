//go:build unix

package share

import (
	"syscall"
	"time"
)

// ProcessTime returns the CPU time of this process: of all threads, in user mode and in the
// kernel, with a resolution of microseconds.
func ProcessTime() time.Duration {
	var r syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &r) != nil { // only a wrong argument fails
		return 0
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}
