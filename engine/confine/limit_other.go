//go:build unix && !linux

package confine

import "syscall"

// Only on Linux does a child have a memory limit; the time limits apply everywhere.
func limitData(int64) error { return nil }

func killWithParent() *syscall.SysProcAttr { return nil }

func residentMemory(int) int64 { return 0 }

func availableMemory() (int64, bool) { return 0, false }
