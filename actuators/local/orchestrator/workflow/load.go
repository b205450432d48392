package workflow

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/scanflow-k8s/scanflow/actuators/local/orchestrator/pod"
)

// load takes up the runs of the folder. One whose record can't be read is left alone.
func (r *Runner) load() {
	files, _ := filepath.Glob(filepath.Join(r.opts.Dir, "*", "")) // the pattern is well formed
	for _, dir := range files {
		info, err := os.Stat(dir)
		if err != nil || !info.IsDir() {
			continue
		}
		rec, err := readRecord(dir)
		switch {
		case errors.Is(err, fs.ErrNotExist): // it was being begun, or removed
			if err := os.RemoveAll(dir); err != nil {
				r.opts.Log.Warn("the rest of a run can't be removed", "folder", dir, "error", err)
			}
			continue
		case err != nil:
			r.opts.Log.Error("a run's record can't be read, and is left alone", "folder", dir, "error", err)
			continue
		}
		r.takeUp(rec)
	}
	r.prune()
}

// takeUp goes on with a run.
func (r *Runner) takeUp(rec record) {
	if found := Check(&rec.Template); len(found) > 0 && !rec.Phase.Ended() {
		rec.Phase, rec.FinishedAt = Error, r.opts.Clock.Now()
		rec.Message = fmt.Sprintf("it can't be gone on with: %v", joined(found))
	}
	one, k := r.newRun(rec), key{rec.Namespace, rec.Name}
	if rec.Phase.Ended() {
		r.mu.Lock()
		r.runs[k] = one
		r.mu.Unlock()
		return
	}
	r.opts.Log.Info("workflow goes on", "run", rec.Namespace+"/"+rec.Name)
	one.root.walk(func(n *node) {
		s := one.step(n)
		if a := s.last(); a != nil && !a.Phase.Ended() {
			one.adopt(n, len(s.Attempts)-1, a)
		}
	})
	r.drive(k, one)
}

// adopt takes over a process, or learns how it ended.
func (r *run) adopt(n *node, i int, a *attempt) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.runner.opts.Processes != nil {
		r.adoptElsewhere(n, i, a)
		return
	}
	from := pod.Resume{PID: a.PID, StartID: a.StartID, StartedAt: a.StartedAt}
	if !pod.Alive(a.PID, a.StartID) {
		// Without a number it was being started, and may still be.
		if a.PID == 0 && pod.Forestall(filepath.Join(r.attemptDir(n, i), exitName)) {
			a.Phase, a.Message, a.FinishedAt, a.Never, r.dirty = Error, "it never began", r.runner.opts.Clock.Now(), true, true
			return
		}
		if found, ok := pod.Reclaim(pod.Tagged()[a.UID]); ok {
			from.PID, from.StartID = found.PID, found.StartID
		}
	}
	c, err := r.config(n, i, a)
	var p *pod.Pod
	if err == nil {
		p, err = pod.Adopt(c, from) // its reports wait for mu
	}
	if err != nil {
		a.Phase, a.Message, a.FinishedAt, a.Lost, r.dirty = Error, err.Error(), r.runner.opts.Clock.Now(), true, true
		return
	}
	r.pods[a.UID] = p
	if place := r.runner.opts.Place; place != nil {
		place.Adopt(r.pod(n, a), a.Node)
	}
}

// adoptElsewhere finds a process that runs somewhere else. mu is held.
func (r *run) adoptElsewhere(n *node, i int, a *attempt) {
	p, err := r.start(n, i, a, a.Node != "" && a.Phase != Pending)
	if err != nil {
		a.Phase, a.Message, a.FinishedAt, r.dirty = Error, err.Error(), r.runner.opts.Clock.Now(), true
		return
	}
	r.pods[a.UID] = p
}

// prune removes the runs that ended long ago, or so many others since.
func (r *Runner) prune() {
	r.disk.Lock()
	defer r.disk.Unlock()
	now := r.opts.Clock.Now()
	var ended []Run
	for _, run := range r.Runs() {
		if run.Phase.Ended() {
			ended = append(ended, run)
		}
	}
	slices.SortFunc(ended, func(a, b Run) int { return cmp.Or(b.FinishedAt.Compare(a.FinishedAt), cmp.Compare(a.Name, b.Name)) })
	for i := range ended {
		if age := now.Sub(ended[i].FinishedAt); age < keepAtLeast || i < keepRuns && age < keepFor {
			continue
		}
		if err := r.remove(&ended[i]); err != nil {
			r.opts.Log.Warn("a run that ended long ago stays behind", "error", err)
		}
	}
}

// remove forgets a run, and removes its files. disk is held.
func (r *Runner) remove(run *Run) error {
	if err := os.RemoveAll(run.Folder); err != nil {
		return fmt.Errorf("remove run %s/%s: %w", run.Namespace, run.Name, err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.runs, key{run.Namespace, run.Name})
	return nil
}

// Forget removes a run that has ended, with its files, before its time. One that has
// not ended is an error.
func (r *Runner) Forget(namespace, name string) error {
	r.disk.Lock()
	defer r.disk.Unlock()
	run, ok := r.Run(namespace, name)
	switch {
	case !ok:
		return nil
	case !run.Phase.Ended():
		return fmt.Errorf("forget run %s/%s: it has not ended", namespace, name)
	}
	return r.remove(&run)
}
