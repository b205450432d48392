package pod

import (
	"errors"
	"fmt"
	"runtime"
	"sync"

	"golang.org/x/sys/unix"
)

// UsableCores are the cores that this process was given when it was started.
func UsableCores() (Cores, error) { return usableCores() }

// Read once: the answer is the calling thread's, and a thread that starts a pod has
// that pod's cores for a moment.
var usableCores = sync.OnceValues(func() (Cores, error) {
	var set unix.CPUSet
	if err := unix.SchedGetaffinity(unix.Getpid(), &set); err != nil {
		return nil, fmt.Errorf("read which cores this process may use: %w", err)
	}
	var out Cores
	for n := range mostCores {
		if set.IsSet(n) {
			out = append(out, n)
		}
	}
	return out, nil
})

// machineMemory is the memory of this machine, in bytes.
func machineMemory() (int64, error) {
	var info unix.Sysinfo_t
	if err := unix.Sysinfo(&info); err != nil {
		return 0, err
	}
	return int64(info.Totalram) * int64(info.Unit), nil
}

// onCores calls start on a thread that has only these cores. A process that start makes
// has them from its first instruction on, and so has every thread and child of it. No
// other thread of ours gets them: Go makes its threads never from one that a goroutine
// has locked.
func onCores(cores Cores, start func() error) error {
	if len(cores) == 0 {
		return start()
	}
	if err := cores.Check(); err != nil {
		return fmt.Errorf("give it its cores: %w", err)
	}
	var want, was unix.CPUSet
	for _, n := range cores {
		want.Set(n)
	}
	runtime.LockOSThread()
	err := unix.SchedGetaffinity(0, &was)
	if err == nil {
		err = unix.SchedSetaffinity(0, &want)
	}
	if err != nil {
		runtime.UnlockOSThread()
		return fmt.Errorf("give it its cores %s: %w", cores, err)
	}
	err = start()
	if back := unix.SchedSetaffinity(0, &was); back != nil {
		// The thread stays this goroutine's, and ends with it.
		return errors.Join(err, fmt.Errorf("take back the cores of the thread that started it: %w", back))
	}
	runtime.UnlockOSThread()
	return err
}
