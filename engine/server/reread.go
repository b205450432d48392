package server

import (
	"io/fs"
	"os"
	"sync"

	"github.com/hashicorp/go-hclog"
)

// reread is what was read from files, and is read anew when one of them has changed:
// edited, replaced, or swapped with the mount that it is in. What can't be read leaves
// what was there before.
type reread[T any] struct {
	files []string
	load  func() (T, error)
	log   hclog.Logger

	mu    sync.Mutex
	seen  []fs.FileInfo // nil for a file that isn't there
	value T
}

func newReread[T any](files []string, log hclog.Logger, load func() (T, error)) (*reread[T], error) {
	r := &reread[T]{files: files, load: load, log: log, seen: look(files)} // a change after this look is one
	var err error
	r.value, err = load()
	return r, err
}

func (r *reread[T]) get() T {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := look(r.files)
	if same(r.seen, now) {
		return r.value
	}
	r.seen = now // a failure is told once
	value, err := r.load()
	if err != nil {
		r.log.Error("a changed file is not taken; what was read before goes on", "files", r.files, "error", err)
		return r.value
	}
	r.log.Info("a changed file is taken", "files", r.files)
	r.value = value
	return value
}

func look(files []string) []fs.FileInfo {
	out := make([]fs.FileInfo, len(files))
	for i, file := range files {
		if info, err := os.Stat(file); err == nil {
			out[i] = info
		}
	}
	return out
}

func same(a, b []fs.FileInfo) bool {
	for i := range a {
		if a[i] == nil || b[i] == nil {
			if a[i] != b[i] {
				return false
			}
			continue
		}
		if !os.SameFile(a[i], b[i]) || a[i].Size() != b[i].Size() || !a[i].ModTime().Equal(b[i].ModTime()) {
			return false
		}
	}
	return true
}
