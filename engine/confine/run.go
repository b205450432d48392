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
	// DefaultMemory is the memory that a child may use in addition to what it starts with,
	// in bytes.
	DefaultMemory = 288 << 20
	// minMemory is the limit of a child if its control group has hardly any memory left.
	// The shipped policies need that much.
	minMemory = 64 << 20
	// reservedMemory is kept free in the control group for this process.
	reservedMemory = 32 << 20
	// residentMargin is the excess of resident memory over the limit at which the parent kills
	// the child. It covers what the child starts with.
	residentMargin = 64 << 20

	defaultBegin = 20 * time.Second
	defaultWhole = 2 * time.Minute
	pollInterval = 50 * time.Millisecond
	// outputTimeout bounds the wait for the output of a killed child.
	outputTimeout = 2 * time.Second
)

// Child describes a run of this program as a confined child process.
type Child struct {
	// Args follow the program's name.
	Args []string
	// Env is its environment; nil means that of this process.
	Env            []string
	Stdin          io.Reader
	Stdout, Stderr io.Writer
	// Memory bounds the bytes that it may use in addition to those that it starts with. It is less if
	// the control group of this process has less left. 0 means DefaultMemory.
	Memory int64
	// Begin bounds the time until its first step, and Whole its total time. 0 means 20 s
	// and 2 min.
	Begin, Whole time.Duration
}

// Cause is why a child did not end regularly.
type Cause string

// The causes.
const (
	OverTime   Cause = "time"
	OverMemory Cause = "memory"
	Died       Cause = "died"
)

// Error describes a child that did not end regularly.
type Error struct {
	Cause Cause
	// Doing is its last step.
	Doing string
	// At is the place within the step, if the child recorded one.
	At string
	// Detail is the limit, or the message with which it died.
	Detail string
}

// Error returns the step and the cause.
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

// Run starts the child and waits until it ends. The end of the context kills it. The
// error is an *Error if the child did not end regularly, and an *exec.ExitError if it
// ended regularly with a status other than 0.
func (c Child) Run(ctx context.Context) error {
	// The kernel kills the child when the thread that started it ends.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	w, err := c.start(ctx)
	if err != nil {
		return fmt.Errorf("start a child process: %w", err)
	}
	defer w.close()
	return w.supervise(ctx, cmp.Or(c.Begin, defaultBegin), cmp.Or(c.Whole, defaultWhole))
}

// memory returns the memory limit, in bytes.
func (c Child) memory() int64 {
	limit := cmp.Or(c.Memory, DefaultMemory)
	if left, bounded := availableMemory(); bounded {
		limit = min(limit, max(left-reservedMemory, minMemory))
	}
	return limit
}

func (c Child) start(ctx context.Context) (*runningChild, error) {
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
		return nil, fmt.Errorf("%w; $TMPDIR has to be a folder that this user may write to", err)
	}
	_ = os.Remove(place.Name()) // the open descriptor keeps the content
	w := &runningChild{life: life, steps: steps, place: place, memory: c.memory(), stderr: &stderrFilter{next: c.Stderr}}
	w.cmd = exec.CommandContext(ctx, self, c.Args...)
	w.cmd.Args[0] = os.Args[0]
	env := c.Env
	if env == nil {
		env = os.Environ()
	}
	w.cmd.Env = append(env, variable+"="+strconv.FormatInt(w.memory, 10), "GOMAXPROCS=1", "GOTRACEBACK=none")
	w.cmd.Stdin, w.cmd.Stdout, w.cmd.Stderr = c.Stdin, c.Stdout, w.stderr
	w.cmd.ExtraFiles = []*os.File{lifeRead, stepsWrite, place}
	w.cmd.SysProcAttr, w.cmd.WaitDelay = killWithParent(), outputTimeout
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

// runningChild is a started child.
type runningChild struct {
	cmd                *exec.Cmd
	life, steps, place *os.File
	memory             int64
	stderr             *stderrFilter
	doing              string
	within             time.Duration
}

func (w *runningChild) close() { closeAll(w.life, w.steps, w.place) }

// step is a step that a child reported.
type step struct {
	what   string
	within time.Duration
}

// supervise waits until the child ends, and kills it if it exceeds a limit.
func (w *runningChild) supervise(ctx context.Context, begin, whole time.Duration) error {
	lines := make(chan step)
	done := make(chan error, 1)
	go func() { // ends with the child, which closes the pipe
		defer close(lines)
		for s := bufio.NewScanner(w.steps); s.Scan(); {
			ms, what, _ := strings.Cut(s.Text(), " ")
			n, _ := strconv.ParseInt(ms, 10, 64)
			lines <- step{what, time.Duration(n) * time.Millisecond}
		}
	}()
	go func() { done <- w.cmd.Wait() }()
	w.within = begin
	limit, all, poll := time.NewTimer(begin), time.NewTimer(whole), time.NewTicker(pollInterval)
	defer limit.Stop()
	defer all.Stop()
	defer poll.Stop()
	var killed *Error
	kill := func(cause Cause, detail string) {
		if killed == nil {
			killed = &Error{Cause: cause, Doing: w.doing, Detail: detail}
			_ = w.cmd.Process.Kill() // fails if it has ended, which Wait reports
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
		case <-poll.C:
			if residentMemory(w.cmd.Process.Pid) > w.memory+residentMargin {
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
		killed = w.deathError(err)
	}
	killed.At = w.lastPlace()
	return killed
}

// deathError returns why a child ended early without being killed here.
func (w *runningChild) deathError(err error) *Error {
	e := &Error{Cause: Died, Doing: w.doing, Detail: cmp.Or(w.stderr.message(), fmt.Sprint(err))}
	if w.stderr.outOfMemory() {
		e.Cause, e.Detail = OverMemory, mebibytes(w.memory)
	}
	return e
}

// lastPlace returns the place that the child recorded last.
func (w *runningChild) lastPlace() string {
	buf := make([]byte, placeBytes)
	n, _ := w.place.ReadAt(buf, 0)
	text, _, _ := strings.Cut(string(buf[:n]), "\x00")
	return text
}

func mebibytes(n int64) string { return fmt.Sprintf("%d MiB", n>>20) }
