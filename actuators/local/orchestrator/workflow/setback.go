package workflow

import "time"

// notAhead has nothing of a run lie in the future, where its times were written down by a
// clock that was ahead and was set back: its deadline and its pauses count from now on,
// and are no longer than they were to be.
func (r *record) notAhead(now time.Time) (changed bool) {
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
