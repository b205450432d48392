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

// variable holds a child's limit of memory, in bytes. Only this package sets it.
const variable = "SCANFLOW_CONFINED"

// The descriptors that a child is given besides the standard ones.
const (
	lifeFD  = 3 // read: ends when the parent does
	stepsFD = 4 // written: what the child is doing
	placeFD = 5 // written: where exactly, for whoever asks after its end
)

// inside is what a confined child tells its parent through; it is empty in any other process.
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

// Enter makes this process the confined child that its parent started it to be, and
// does nothing in any other. main calls it before anything foreign is read.
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
	debug.SetMemoryLimit(begins + memory/4*3) // collect before the limit is met
	debug.SetMaxStack(maxStack)
	debug.SetTraceback("none") // the parent shows the first line
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
	go func() { // for as long as the process lives
		_, _ = io.Copy(io.Discard, life)
		os.Exit(exitOrphaned)
	}()
	return nil
}

// begins is about what Go's runtime has in use as a child begins, in bytes.
const begins = 32 << 20

// maxStack bounds one goroutine's stack, in bytes: what recurses that deep has no end.
const maxStack = 64 << 20

// exitOrphaned is the status of a child whose parent is gone; nobody is left to read it.
const exitOrphaned = 3

// finished is the step after which a child's exit status is its own.
const finished = "finished"

// Finish says that the child came to its end by itself: its exit status is what it
// means to say. Outside of a child it does nothing.
func Finish() { Doing(finished, time.Minute) }

// Doing says what the child begins to do, for a message, and how long that may take
// before it is killed. Outside of a child it does nothing.
func Doing(what string, within time.Duration) {
	inside.Lock()
	defer inside.Unlock()
	if inside.steps == nil {
		return
	}
	// A parent that is gone ends this process by other means.
	_, _ = fmt.Fprintf(inside.steps, "%d %s\n", within.Milliseconds(), strings.Join(strings.Fields(what), " "))
}

// placeBytes bounds what At keeps.
const placeBytes = 512

// At notes where exactly the child is, for a parent that asks after its end. It costs
// a write where the place is another than the last. Outside of a child it does nothing.
func At(place string) {
	inside.Lock()
	defer inside.Unlock()
	if inside.place == nil || place == inside.at {
		return
	}
	inside.at = place
	room := make([]byte, placeBytes)
	copy(room, place)
	_, _ = inside.place.WriteAt(room, 0) // without it, the message says less
}
