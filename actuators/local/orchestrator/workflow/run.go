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

// run is one run. Its life, in its own goroutine (drive):
//
//	    record written by Begin, or read by load
//	                      |
//	+---------------> advance: what has ended? what comes next? what is late?
//	|                     |
//	|               record written
//	|                     |
//	|                   begin: a process for each step whose turn it is,
//	|                     |    written down before it starts
//	+---- a process reported, a time came, somebody poked
//
// mu guards the record and the pods. A pod reports from its own goroutine (observe).
// A record that can't be written is tried again; meanwhile no process is started.
type run struct {
	runner *Runner
	dir    string
	root   *node // nil for a record that can't be gone on with
	wake   chan struct{}
	seen   atomic.Pointer[Run]

	mu    sync.Mutex
	rec   record
	dirty bool // the record has changed since it was written
	// placed counts how often the run was placed otherwise.
	placed int
	pods   map[string]Process // those that run, by the attempt's UID
	going  map[string]bool    // those of them that are being ended
	ends   sync.WaitGroup     // what ends them
}

const (
	recordName = "run.json"
	logName    = "log"
	exitName   = "exit"
)

func (r *Runner) newRun(rec record) *run {
	one := &run{
		runner: r, dir: r.folder(key{rec.Namespace, rec.Name}), rec: rec,
		wake: make(chan struct{}, 1), pods: map[string]Process{}, going: map[string]bool{},
	}
	if len(Check(&one.rec.Template)) == 0 {
		one.root = compile(&one.rec.Template.Spec)
	}
	one.seen.Store(one.status())
	return one
}

// folder is where a run lies.
func (r *Runner) folder(k key) string { return filepath.Join(r.opts.Dir, k.folder()) }

// folder is the name of a run's folder. Neither name holds an underscore, so that it
// parts them safely.
func (k key) folder() string { return k.namespace + "_" + k.name }

func (r *run) file() string { return filepath.Join(r.dir, recordName) }

// step is a node's part of the record. mu is held.
func (r *run) step(n *node) *step {
	s := r.rec.Steps[n.path]
	if s == nil {
		s = &step{}
		r.rec.Steps[n.path] = s
	}
	return s
}

func (r *run) poke() {
	select {
	case r.wake <- struct{}{}:
	default: // it will look at everything anyway
	}
}

// drive leads the run to its end, or as far as it gets before the Runner is closed.
func (r *run) drive() {
	defer r.ends.Wait()
	for {
		begin, at, over := r.look()
		if over {
			r.runner.prune()
			return
		}
		began := false
		for _, n := range begin {
			began = r.begin(n) || began
		}
		if !began && !r.wait(at) {
			r.leave()
			return
		}
	}
}

// look sees what comes next, and when to look again at the latest; over says that the
// run has ended, and that this is written down.
func (r *run) look() (begin []*node, at time.Time, over bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := r.runner.opts.Clock.Now()
	begin, at = r.advance(now)
	changed := r.dirty
	r.save()
	switch {
	case r.dirty:
		at = soonest(at, now.Add(saveAgain))
	case changed: // what was looked at first may depend on what came after it
		r.poke()
	}
	return begin, at, r.rec.Phase.Ended() && !r.dirty
}

// wait waits for something to do, until a time if that is not zero; false if the
// Runner is closed.
func (r *run) wait(at time.Time) bool {
	var timer <-chan time.Time
	if !at.IsZero() {
		t, giveBack := r.runner.opts.Clock.Timer(at.Sub(r.runner.opts.Clock.Now()))
		defer giveBack()
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

// leave lets the processes go on by themselves, or ends them and the run.
func (r *run) leave() {
	r.mu.Lock()
	if r.runner.how == StopAll {
		r.rec.Stop, r.dirty = cmp.Or(r.rec.Stop, "ended with the orchestrator"), true
		r.mu.Unlock()
		r.look()
		r.ends.Wait()
		r.look()
		return
	}
	pods := maps.Clone(r.pods)
	r.mu.Unlock()
	for _, p := range pods {
		p.Detach()
	}
}

// save writes the record if it has changed, and shows it. mu is held.
func (r *run) save() {
	if !r.dirty {
		return
	}
	if err := statefile.Write(r.file(), &r.rec); err != nil {
		r.runner.opts.Log.Error("the record of a run can't be written; it goes no further until it can", "run", r.rec.Name, "error", err)
		return
	}
	r.dirty = false
	r.show()
}

// show has others see the run as it is now. mu is held.
func (r *run) show() {
	now := r.status()
	r.seen.Store(now)
	r.runner.opts.OnChange(*now)
}

// cancel has the run end. The reason that was given first stays.
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
	r.show()
	r.poke()
	return nil
}

// soonest is the earlier of two times, of which the zero one counts for none.
func soonest(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}
