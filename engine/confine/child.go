package confine

import (
	"fmt"
	"io"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// variable holds the memory limit of a child, in bytes. Only this package sets it.
const variable = "SCANFLOW_CONFINED"

// The descriptors of a child besides the standard ones.
const (
	lifeFD  = 3 // read: reaches EOF when the parent ends
	stepsFD = 4 // written: the current step
	placeFD = 5 // written: the place within the step, read by the parent after the end
)

// inside holds the files of a confined child. It is empty in any other process.
var inside struct {
	sync.Mutex
	steps, place *os.File
	at           string
}

// Inside reports whether this process is a confined child.
func Inside() bool {
	inside.Lock()
	defer inside.Unlock()
	return inside.steps != nil
}

// Enter applies the limits if this process was started as a confined child. Otherwise it
// does nothing. main calls it before it reads any foreign input.
func Enter() error {
	raw, is := os.LookupEnv(variable)
	if !is {
		return nil
	}
	memory, err := strconv.ParseInt(raw, 10, 64)
	if err != nil || memory <= 0 {
		return fmt.Errorf("%s is for scanflow's own child processes; unset it", variable)
	}
	var stat syscall.Stat_t
	for _, fd := range []int{lifeFD, stepsFD, placeFD} {
		if err := syscall.Fstat(fd, &stat); err != nil {
			return fmt.Errorf("%s is for scanflow's own child processes; unset it", variable)
		}
	}
	if err := os.Unsetenv(variable); err != nil {
		return fmt.Errorf("enter the confinement: %w", err)
	}
	runtime.GOMAXPROCS(1)
	debug.SetMemoryLimit(baseMemory + memory/4*3) // collect garbage before the limit
	debug.SetMaxStack(maxStack)
	debug.SetTraceback("none") // the parent reports the first line only
	if err := limitData(memory); err != nil {
		return fmt.Errorf("enter the confinement: %w", err)
	}
	for _, fd := range []int{lifeFD, stepsFD, placeFD} {
		syscall.CloseOnExec(fd)
	}
	inside.Lock()
	inside.steps, inside.place = os.NewFile(stepsFD, "steps"), os.NewFile(placeFD, "place")
	inside.Unlock()
	life := os.NewFile(lifeFD, "life")
	go func() { // runs until the process ends
		_, _ = io.Copy(io.Discard, life)
		os.Exit(exitOrphaned)
	}()
	return nil
}

// baseMemory is about the memory of Go's runtime when a child starts, in bytes.
const baseMemory = 32 << 20

// maxStack bounds the stack of one goroutine, in bytes, to stop endless recursion.
const maxStack = 64 << 20

// exitOrphaned is the exit status of a child whose parent has ended.
const exitOrphaned = 3

// finished is the step after which the parent returns the child's own exit status.
const finished = "finished"

// Finish reports that the child ends regularly, with its own exit status. Outside of a
// child it does nothing.
func Finish() { Doing(finished, time.Minute) }

// Doing reports the step that the child begins, for a message, and how long it may take
// before the child is killed. Outside of a child it does nothing.
func Doing(what string, within time.Duration) {
	inside.Lock()
	defer inside.Unlock()
	if inside.steps == nil {
		return
	}
	// An error means that the parent has ended, which lifeFD handles.
	_, _ = fmt.Fprintf(inside.steps, "%d %s\n", within.Milliseconds(), strings.Join(strings.Fields(what), " "))
}

// placeBytes bounds the place that At records.
const placeBytes = 512

// At records the place within the step, such as a line, which the parent reads after
// the child's end. It writes only when the place changes. Outside of a child it does
// nothing.
func At(place string) {
	inside.Lock()
	defer inside.Unlock()
	if inside.place == nil || place == inside.at {
		return
	}
	inside.at = place
	buf := make([]byte, placeBytes)
	copy(buf, place)
	_, _ = inside.place.WriteAt(buf, 0) // an error makes the message less precise
}
