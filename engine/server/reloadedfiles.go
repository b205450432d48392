package server

import (
	"io/fs"
	"os"
	"sync"

	"github.com/hashicorp/go-hclog"
)

// reloadedFiles is a value read from files, which is read again when one of them has changed:
// edited, replaced, or swapped with its mount. If that fails, the last value stays.
type reloadedFiles[T any] struct {
	files []string
	load  func() (T, error)
	log   hclog.Logger

	mu    sync.Mutex
	infos []fs.FileInfo // nil for a missing file
	value T
}

func newReloadedFiles[T any](files []string, log hclog.Logger, load func() (T, error)) (*reloadedFiles[T], error) {
	r := &reloadedFiles[T]{files: files, load: load, log: log, infos: statFiles(files)} // before load, so that a later change is noticed
	var err error
	r.value, err = load()
	return r, err
}

func (r *reloadedFiles[T]) get() T {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := statFiles(r.files)
	if sameFiles(r.infos, now) {
		return r.value
	}
	r.infos = now // a failure is logged once
	value, err := r.load()
	if err != nil {
		r.log.Error("a changed file is not taken; what was read before goes on", "files", r.files, "error", err)
		return r.value
	}
	r.log.Info("a changed file is taken", "files", r.files)
	r.value = value
	return value
}

func statFiles(files []string) []fs.FileInfo {
	out := make([]fs.FileInfo, len(files))
	for i, file := range files {
		if info, err := os.Stat(file); err == nil {
			out[i] = info
		}
	}
	return out
}

func sameFiles(a, b []fs.FileInfo) bool {
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
