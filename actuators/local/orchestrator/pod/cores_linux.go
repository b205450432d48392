package pod

import (
	"errors"
	"fmt"
	"runtime"
	"sync"

	"golang.org/x/sys/unix"
)

// UsableCores returns the CPU affinity that this process was started with.
func UsableCores() (Cores, error) { return usableCores() }

// usableCores is read once: affinity belongs to a thread, and onCores changes that of a
// thread temporarily.
var usableCores = sync.OnceValues(func() (Cores, error) {
	var set unix.CPUSet
	if err := unix.SchedGetaffinity(unix.Getpid(), &set); err != nil {
		return nil, fmt.Errorf("read which cores this process may use: %w", err)
	}
	var out Cores
	for n := range maxCores {
		if set.IsSet(n) {
			out = append(out, n)
		}
	}
	return out, nil
})

// machineMemory returns the memory of this machine in bytes.
func machineMemory() (int64, error) {
	var info unix.Sysinfo_t
	if err := unix.Sysinfo(&info); err != nil {
		return 0, err
	}
	return int64(info.Totalram) * int64(info.Unit), nil
}

// onCores calls start on a thread whose affinity is limited to these cores. A process
// that start creates inherits the affinity, as do its threads and children. No other
// thread of this process inherits it: the runtime never clones a locked thread.
func onCores(cores Cores, start func() error) error {
	if len(cores) == 0 {
		return start()
	}
	if err := cores.Check(); err != nil {
		return fmt.Errorf("give it its cores: %w", err)
	}
	var want, previous unix.CPUSet
	for _, n := range cores {
		want.Set(n)
	}
	runtime.LockOSThread()
	err := unix.SchedGetaffinity(0, &previous)
	if err == nil {
		err = unix.SchedSetaffinity(0, &want)
	}
	if err != nil {
		runtime.UnlockOSThread()
		return fmt.Errorf("give it its cores %s: %w", cores, err)
	}
	err = start()
	if restoreErr := unix.SchedSetaffinity(0, &previous); restoreErr != nil {
		// The thread stays locked, so that it is destroyed with the goroutine.
		return errors.Join(err, fmt.Errorf("take back the cores of the thread that started it: %w", restoreErr))
	}
	runtime.UnlockOSThread()
	return err
}
