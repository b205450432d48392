//go:build unix

package plainfile

import "syscall"

// openAtOnce has the opening of a pipe not wait for its other end.
const openAtOnce = syscall.O_NONBLOCK
