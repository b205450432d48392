package confine

import (
	"bufio"
	"cmp"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"time"
)

const (
	// DefaultMemory is what a child may use, in bytes, beyond what it begins with.
	DefaultMemory = 288 << 20
	// leastMemory is what a child is given where its control group has hardly any left:
	// less would not do for the policies that ship.
	leastMemory = 64 << 20
	// spare is what is left of a control group's room for this process itself.
	spare = 32 << 20
	// slack is by how much what is resident may exceed the limit before the parent ends
	// the child: what it begins with is apart, and the kernel counts otherwise.
	slack = 64 << 20

	defaultBegin = 20 * time.Second
	defaultWhole = 2 * time.Minute
	lookEvery    = 50 * time.Millisecond
	// collectFor is how long the output of a child that was killed is waited for.
	collectFor = 2 * time.Second
)

// Child is this program, to be run once more.
type Child struct {
	// Args follow the program's name.
	Args []string
	// Env is its environment; nil is that of this process.
	Env            []string
	Stdin          io.Reader
	Stdout, Stderr io.Writer
	// Memory is what it may use beyond what it begins with, in bytes, or less where the control group of this
	// process has less left; 0 is DefaultMemory.
	Memory int64
	// Begin is how long it may take until it says for the first time what it does, and
	// Whole how long it may take in all; 0 is 20 s and 2 min.
	Begin, Whole time.Duration
}

// Cause is why a child did not come to its end.
type Cause string

// The causes.
const (
	OverTime   Cause = "time"
	OverMemory Cause = "memory"
	Died       Cause = "died"
)

// Error says that a child did not come to its end by itself.
type Error struct {
	Cause Cause
	// Doing is what it said last that it does.
	Doing string
	// At is where exactly it was, if it said so (At).
	At string
	// Detail is the limit, or what it said as it died.
	Detail string
}

// Error is a sentence.
func (e *Error) Error() string {
	doing := cmp.Or(e.Doing, "starting")
	switch e.Cause {
	case OverTime:
		return fmt.Sprintf("%s took longer than %s and was stopped", doing, e.Detail)
	case OverMemory:
		return fmt.Sprintf("%s needed more than %s of memory and was stopped", doing, e.Detail)
	}
	return fmt.Sprintf("%s ended the process: %s", doing, e.Detail)
}

// Run starts the child and waits for its end, or for the context's, which kills it. A
// child that does not come to its end is an *Error; one that ends with another status
// than 0 of its own accord an *exec.ExitError.
func (c Child) Run(ctx context.Context) error {
	// The kernel kills the child when the thread that started it ends.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	w, err := c.start(ctx)
	if err != nil {
		return fmt.Errorf("start a child process: %w", err)
	}
	defer w.close()
	return w.follow(ctx, cmp.Or(c.Begin, defaultBegin), cmp.Or(c.Whole, defaultWhole))
}

// memory is the limit, in bytes.
func (c Child) memory() int64 {
	most := cmp.Or(c.Memory, DefaultMemory)
	if left, bounded := room(); bounded {
		most = min(most, max(left-spare, leastMemory))
	}
	return most
}

func (c Child) start(ctx context.Context) (*ward, error) {
	lifeRead, life, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	steps, stepsWrite, err := os.Pipe()
	if err != nil {
		closeAll(lifeRead, life)
		return nil, err
	}
	place, err := os.CreateTemp("", "scanflow-place-")
	if err != nil {
		closeAll(lifeRead, life, steps, stepsWrite)
		return nil, err
	}
	_ = os.Remove(place.Name()) // the descriptor keeps it
	w := &ward{life: life, steps: steps, place: place, memory: c.memory(), stderr: &lastWords{next: c.Stderr}}
	w.cmd = exec.CommandContext(ctx, self, c.Args...)
	w.cmd.Args[0] = os.Args[0]
	env := c.Env
	if env == nil {
		env = os.Environ()
	}
	w.cmd.Env = append(env, variable+"="+strconv.FormatInt(w.memory, 10), "GOMAXPROCS=1", "GOTRACEBACK=none")
	w.cmd.Stdin, w.cmd.Stdout, w.cmd.Stderr = c.Stdin, c.Stdout, w.stderr
	w.cmd.ExtraFiles = []*os.File{lifeRead, stepsWrite, place}
	w.cmd.SysProcAttr, w.cmd.WaitDelay = withParent(), collectFor
	err = w.cmd.Start()
	closeAll(lifeRead, stepsWrite)
	if err != nil {
		w.close()
		return nil, err
	}
	return w, nil
}

func closeAll(files ...*os.File) {
	for _, f := range files {
		_ = f.Close()
	}
}

// ward is a child that runs.
type ward struct {
	cmd                *exec.Cmd
	life, steps, place *os.File
	memory             int64
	stderr             *lastWords
	doing              string
	within             time.Duration
}

func (w *ward) close() { closeAll(w.life, w.steps, w.place) }

// step is one line of a child.
type step struct {
	what   string
	within time.Duration
}

// follow waits for the child's end, and brings it about where a limit is reached.
func (w *ward) follow(ctx context.Context, begin, whole time.Duration) error {
	lines := make(chan step)
	done := make(chan error, 1)
	go func() { // ends with the child, whose end of the pipe is closed then
		defer close(lines)
		for s := bufio.NewScanner(w.steps); s.Scan(); {
			ms, what, _ := strings.Cut(s.Text(), " ")
			n, _ := strconv.ParseInt(ms, 10, 64)
			lines <- step{what, time.Duration(n) * time.Millisecond}
		}
	}()
	go func() { done <- w.cmd.Wait() }()
	w.within = begin
	limit, all, look := time.NewTimer(begin), time.NewTimer(whole), time.NewTicker(lookEvery)
	defer limit.Stop()
	defer all.Stop()
	defer look.Stop()
	var killed *Error
	kill := func(cause Cause, detail string) {
		if killed == nil {
			killed = &Error{Cause: cause, Doing: w.doing, Detail: detail}
			_ = w.cmd.Process.Kill() // where it has ended by itself, Wait says so
		}
	}
	for lines != nil {
		select {
		case s, more := <-lines:
			if !more {
				lines = nil
				continue
			}
			w.doing, w.within = s.what, s.within
			limit.Reset(s.within)
		case <-limit.C:
			kill(OverTime, w.within.String())
		case <-all.C:
			kill(OverTime, whole.String()+" in all")
		case <-look.C:
			if ownMemory(w.cmd.Process.Pid) > w.memory+slack {
				kill(OverMemory, mebibytes(w.memory))
			}
		}
	}
	err := <-done
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case w.doing == finished:
		w.stderr.flush()
		return err
	case killed == nil:
		killed = w.verdict(err)
	}
	killed.At = w.at()
	return killed
}

// verdict is why a child that nobody killed has ended early.
func (w *ward) verdict(err error) *Error {
	e := &Error{Cause: Died, Doing: w.doing, Detail: cmp.Or(w.stderr.first(), fmt.Sprint(err))}
	if w.stderr.outOfMemory() {
		e.Cause, e.Detail = OverMemory, mebibytes(w.memory)
	}
	return e
}

// at is where the child said that it was.
func (w *ward) at() string {
	room := make([]byte, placeBytes)
	n, _ := w.place.ReadAt(room, 0)
	text, _, _ := strings.Cut(string(room[:n]), "\x00")
	return text
}

func mebibytes(n int64) string { return fmt.Sprintf("%d MiB", n>>20) }
