package status

import "slices"

// Overlaps records which other agents write a field of an agent's targets too, with no
// priority that decides between them.
func (r *Reporter) Overlaps(name string, texts []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	a := r.agents[name]
	if a == nil || slices.Equal(a.overlaps, texts) {
		return
	}
	a.overlaps = texts
	r.report(a)
}
