//go:build !unix

package plainfile

// nonBlocking is not needed without named pipes.
const nonBlocking = 0
