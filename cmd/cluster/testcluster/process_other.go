//go:build !linux

package testcluster

import "syscall"

func killWithParent() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }

func lockThread() {}
