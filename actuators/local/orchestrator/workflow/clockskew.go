package workflow

import "time"

// clampFuture moves the times of a run that are in the future to now: they were recorded
// while the clock was ahead, before it was set back. The deadline and the back-offs count
// from now, with their original lengths.
func (r *record) clampFuture(now time.Time) (changed bool) {
	if ahead := r.StartedAt.Sub(now); ahead > 0 {
		r.StartedAt, r.Deadline, changed = now, r.Deadline.Add(-ahead), true
	}
	for _, s := range r.Steps {
		for _, a := range s.Attempts {
			for _, at := range []*time.Time{&a.StartedAt, &a.FinishedAt} {
				if at.After(now) {
					*at, changed = now, true
				}
			}
		}
	}
	return changed
}
