//go:build unix

package plainfile

import "syscall"

// nonBlocking makes opening a pipe return without waiting for the other end.
const nonBlocking = syscall.O_NONBLOCK
