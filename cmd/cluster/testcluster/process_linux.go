package testcluster

import (
	"runtime"
	"syscall"
)

// killWithParent makes the kernel kill the program when the thread that started it ends.
func killWithParent() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
}

// lockThread binds the goroutine to its thread, and the thread to the goroutine's lifetime.
func lockThread() { runtime.LockOSThread() }
