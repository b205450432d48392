//go:build !unix

package plainfile

// openAtOnce is of no use where a folder holds no pipes.
const openAtOnce = 0
