package workflow

import (
	"cmp"
	"maps"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/scanflow-k8s/scanflow/actuators/local/orchestrator/statefile"
)

// run is a run of a workflow. Its lifecycle, in its own goroutine (drive):
//
//	    record created by Submit, or read by resumeAll
//	                      |
//	+---------------> advance: ended steps, missed deadlines, steps to start
//	|                     |
//	|                   save
//	|                     |
//	|                startAttempt: for each step to start, save the attempt,
//	|                     |        then start its process
//	+---- wait: a status of a process, a timer, or wakeUp
//
// mu guards the record and the pods. Pods report from goroutines of their own (onStatus).
// If the record can't be saved, saving is retried, and no process starts until it succeeds.
type run struct {
	runner   *Runner
	dir      string
	root     *node // nil if the record can't be resumed
	wake     chan struct{}
	snapshot atomic.Pointer[Run]

	mu    sync.Mutex
	rec   record
	dirty bool // the record has changed since it was saved
	// placementVersion counts the changes of the run's placement.
	placementVersion int
	pods             map[string]Process // the running processes, by the attempt's UID
	terminating      map[string]bool    // those that are being stopped
	terminations     sync.WaitGroup     // the goroutines that stop them
}

const (
	recordName = "run.json"
	logName    = "log"
	exitName   = "exit"
)

func (r *Runner) newRun(rec record) *run {
	created := &run{
		runner: r, dir: r.folder(key{rec.Namespace, rec.Name}), rec: rec,
		wake: make(chan struct{}, 1), pods: map[string]Process{}, terminating: map[string]bool{},
	}
	if len(Check(&created.rec.Template)) == 0 {
		created.root = buildTree(&created.rec.Template.Spec)
	}
	created.snapshot.Store(created.status())
	return created
}

// folder returns the folder of a run.
func (r *Runner) folder(k key) string { return filepath.Join(r.opts.Dir, k.folder()) }

// folder returns the name of a run's folder. It is unique, because neither of the names
// may contain an underscore.
func (k key) folder() string { return k.namespace + "_" + k.name }

func (r *run) file() string { return filepath.Join(r.dir, recordName) }

// step returns the record of a node. mu is held.
func (r *run) step(n *node) *step {
	s := r.rec.Steps[n.path]
	if s == nil {
		s = &step{}
		r.rec.Steps[n.path] = s
	}
	return s
}

func (r *run) wakeUp() {
	select {
	case r.wake <- struct{}{}:
	default: // a wake-up is pending already
	}
}

// drive advances the run until it ends or the Runner is closed.
func (r *run) drive() {
	defer r.terminations.Wait()
	for {
		start, wakeAt, ended := r.advanceAndSave()
		if ended {
			r.runner.prune()
			return
		}
		changed := false
		for _, n := range start {
			changed = r.startAttempt(n) || changed
		}
		if !changed && !r.wait(wakeAt) {
			r.shutdown()
			return
		}
	}
}

// advanceAndSave calls advance and saves the record. ended reports whether the run has
// ended and its record is saved.
func (r *run) advanceAndSave() (start []*node, wakeAt time.Time, ended bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := r.runner.opts.Clock.Now()
	start, wakeAt = r.advance(now)
	changed := r.dirty
	r.save()
	switch {
	case r.dirty:
		wakeAt = earliest(wakeAt, now.Add(saveRetry))
	case changed: // nodes that were visited first may depend on later ones that have changed
		r.wakeUp()
	}
	return start, wakeAt, r.rec.Phase.Ended() && !r.dirty
}

// wait waits for a wake-up, or until a time that is not zero. It returns false if the
// Runner is closed.
func (r *run) wait(at time.Time) bool {
	var timer <-chan time.Time
	if !at.IsZero() {
		t, stopTimer := r.runner.opts.Clock.Timer(at.Sub(r.runner.opts.Clock.Now()))
		defer stopTimer()
		timer = t
	}
	select {
	case <-r.runner.ctx.Done():
		return false
	default:
	}
	select {
	case <-r.wake:
		return true
	case <-timer:
		return true
	case <-r.runner.ctx.Done():
		return false
	}
}

// shutdown detaches the processes, or stops them and the run, as the CloseMode says.
func (r *run) shutdown() {
	r.mu.Lock()
	if r.runner.closeMode == StopAll {
		r.rec.Stop, r.dirty = cmp.Or(r.rec.Stop, "ended with the orchestrator"), true
		r.mu.Unlock()
		r.advanceAndSave()
		r.terminations.Wait()
		r.advanceAndSave()
		return
	}
	pods := maps.Clone(r.pods)
	r.mu.Unlock()
	for _, p := range pods {
		p.Detach()
	}
}

// save saves the record if it has changed, and publishes it. mu is held.
func (r *run) save() {
	if !r.dirty {
		return
	}
	if err := statefile.Write(r.file(), &r.rec); err != nil {
		r.runner.opts.Log.Error("the record of a run can't be saved; the run is blocked until it can", "run", r.rec.Name, "error", err)
		return
	}
	r.dirty = false
	r.publish()
}

// publish updates the snapshot and calls OnChange. mu is held.
func (r *run) publish() {
	now := r.status()
	r.snapshot.Store(now)
	r.runner.opts.OnChange(*now)
}

// cancel stops the run, unless it is being stopped already, and saves the reason.
func (r *run) cancel(why string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.rec.Phase.Ended() || r.rec.Stop != "" {
		return nil
	}
	next := r.rec
	next.Stop = why
	if err := statefile.Write(r.file(), &next); err != nil {
		return err
	}
	r.rec.Stop = why
	r.runner.opts.Log.Info("workflow is being ended", "run", key{r.rec.Namespace, r.rec.Name}.String(), "why", why)
	r.publish()
	r.wakeUp()
	return nil
}

// earliest returns the earlier of two times, ignoring a zero one.
func earliest(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}
