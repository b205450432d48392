//go:build unix && !linux

package confine

import "syscall"

// Elsewhere than on Linux a child has no limit of memory; those of time hold.
func limitData(int64) error { return nil }

func withParent() *syscall.SysProcAttr { return nil }

func ownMemory(int) int64 { return 0 }

func room() (int64, bool) { return 0, false }
