package testcluster

import (
	"runtime"
	"syscall"
)

// dieWithParent has the kernel kill the program when the thread that started it ends.
func killWithParent() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
}

// pin keeps a goroutine on its thread, and the thread alive, until it ends.
func lockThread() { runtime.LockOSThread() }
