//go:build unix

package policy

import "syscall"

// openAtOnce has the opening of a pipe not wait for its other end.
const openAtOnce = syscall.O_NONBLOCK
