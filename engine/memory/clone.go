package memory

import (
	"maps"
	"slices"
)

// Clone returns a copy of the book that changes on its own.
func (b *Book) Clone() *Book {
	b.Lock()
	defer b.Unlock()
	out := NewBook()
	for id, t := range b.targets {
		same := *t // the part that documents have is replaced, never changed in place
		same.acts = slices.Clone(t.acts)
		same.wrote, same.failed, same.baselines = maps.Clone(t.wrote), maps.Clone(t.failed), maps.Clone(t.baselines)
		out.targets[id] = &same
	}
	return out
}
