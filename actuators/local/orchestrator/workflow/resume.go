package workflow

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/scanflow-k8s/scanflow/actuators/local/orchestrator/pod"
	"github.com/scanflow-k8s/scanflow/actuators/local/orchestrator/statefile"
)

// resumeAll resumes the runs of the folder. It ignores a run whose record can't be read.
func (r *Runner) resumeAll() {
	files, err := statefile.List(r.opts.Dir, "*")
	if err != nil {
		r.opts.Log.Error("the runs of the last process can't be listed, and are not resumed", "error", err)
	}
	for _, dir := range files {
		info, err := os.Stat(dir)
		if err != nil || !info.IsDir() {
			continue
		}
		rec, err := readRecord(dir)
		switch {
		case errors.Is(err, fs.ErrNotExist): // a crash interrupted its creation or removal
			if err := os.RemoveAll(dir); err != nil {
				r.opts.Log.Warn("the folder of a run without a record can't be removed", "folder", dir, "error", err)
			}
			continue
		case err != nil:
			r.opts.Log.Error("the record of a run can't be read; the run is ignored", "folder", dir, "error", err)
			continue
		}
		r.resume(rec)
	}
	r.prune()
}

// resume adds a run and, unless it has ended, continues it.
func (r *Runner) resume(rec record) {
	if found := Check(&rec.Template); len(found) > 0 && !rec.Phase.Ended() {
		rec.Phase, rec.FinishedAt = Error, r.opts.Clock.Now()
		rec.Message = fmt.Sprintf("it can't be resumed: %v", found)
	}
	wf, k := r.newRun(rec), key{rec.Namespace, rec.Name}
	if rec.Phase.Ended() {
		r.mu.Lock()
		r.runs[k] = wf
		r.mu.Unlock()
		return
	}
	r.opts.Log.Info("workflow resumed", "run", rec.Namespace+"/"+rec.Name)
	wf.root.walk(func(n *node) {
		s := wf.step(n)
		if a := s.last(); a != nil && !a.Phase.Ended() {
			wf.adopt(n, len(s.Attempts)-1, a)
		}
	})
	r.launch(k, wf)
}

// adopt adopts the process of an attempt, or records its end.
func (r *run) adopt(n *node, i int, a *attempt) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.runner.opts.Launcher != nil {
		r.adoptRemote(n, i, a)
		return
	}
	from := pod.Handle{PID: a.PID, StartID: a.StartID, StartedAt: a.StartedAt}
	if !pod.Alive(a.PID, a.StartID) {
		// Without a PID the attempt was interrupted while its process was being started.
		if a.PID == 0 && pod.PreventStart(filepath.Join(r.attemptDir(n, i), exitName)) {
			a.Phase, a.Message, a.FinishedAt, a.NeverStarted, r.dirty = Error, "it never started", r.runner.opts.Clock.Now(), true, true
			return
		}
		if found, ok := pod.Reclaim(pod.ProcessesByUID()[a.UID]); ok {
			from.PID, from.StartID = found.PID, found.StartID
		}
	}
	c, err := r.config(n, i, a)
	var p *pod.Pod
	if err == nil {
		p, err = pod.Adopt(c, from) // its status reports wait for mu
	}
	if err != nil {
		a.Phase, a.Message, a.FinishedAt, a.Lost, r.dirty = Error, err.Error(), r.runner.opts.Clock.Now(), true, true
		return
	}
	r.pods[a.UID] = p
	if place := r.runner.opts.Place; place != nil {
		place.Adopt(r.placerPod(n, a), a.Node)
	}
}

// adoptRemote adopts a remote process. mu is held.
func (r *run) adoptRemote(n *node, i int, a *attempt) {
	p, err := r.start(n, i, a, a.Node != "" && a.Phase != Pending)
	if err != nil {
		a.Phase, a.Message, a.FinishedAt, r.dirty = Error, err.Error(), r.runner.opts.Clock.Now(), true
		return
	}
	r.pods[a.UID] = p
}
