package workflow

import (
	"cmp"
	"fmt"
	"os"
	"slices"
)

// prune removes ended runs beyond the retention limits.
func (r *Runner) prune() {
	r.dirMu.Lock()
	defer r.dirMu.Unlock()
	now := r.opts.Clock.Now()
	var ended []Run
	for _, run := range r.Runs() {
		if run.Phase.Ended() {
			ended = append(ended, run)
		}
	}
	slices.SortFunc(ended, func(a, b Run) int { return cmp.Or(b.FinishedAt.Compare(a.FinishedAt), cmp.Compare(a.Name, b.Name)) })
	for i := range ended {
		if age := now.Sub(ended[i].FinishedAt); age < keepMinimum || i < keepRuns && age < keepFor {
			continue
		}
		if err := r.remove(&ended[i]); err != nil {
			r.opts.Log.Warn("a run that ended long ago stays behind", "error", err)
		}
	}
}

// remove deletes a run and its files. dirMu is held.
func (r *Runner) remove(run *Run) error {
	if err := os.RemoveAll(run.Folder); err != nil {
		return fmt.Errorf("remove run %s/%s: %w", run.Namespace, run.Name, err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.runs, key{run.Namespace, run.Name})
	return nil
}

// Delete deletes a run that has ended, with its files. It is an error if the run is active.
func (r *Runner) Delete(namespace, name string) error {
	r.dirMu.Lock()
	defer r.dirMu.Unlock()
	run, ok := r.Run(namespace, name)
	switch {
	case !ok:
		return nil
	case !run.Phase.Ended():
		return fmt.Errorf("forget run %s/%s: it has not ended", namespace, name)
	}
	return r.remove(&run)
}
