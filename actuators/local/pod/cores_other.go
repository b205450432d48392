//go:build unix && !linux

package pod

import (
	"errors"
	"runtime"
)

var errNoCores = errors.New("a process can't be held to cores on " + runtime.GOOS + ", only on linux; leave the cores out")

// UsableCores can't be told here, nor would it be of use.
func UsableCores() (Cores, error) { return nil, errNoCores }

func onCores(cores Cores, start func() error) error {
	if len(cores) > 0 {
		return errNoCores
	}
	return start()
}
