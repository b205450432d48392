package policy

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/fsnotify/fsnotify"

	"github.com/scanflow-k8s/scanflow/engine/watch"
)

// Watch loads the policies anew whenever one of the folders, bundles or other files at the
// paths changes, until the context ends; the caller waits for it to return. What it
// finds is in Status. Content that was refused is not tried again before it changes,
// and content that is replaced while it is tried is not tried to the end.
func (s *Store) Watch(ctx context.Context, paths ...string) {
	changed := make(chan struct{}, 1)
	var work sync.WaitGroup
	work.Go(func() { s.follow(ctx, changed) })
	for _, path := range paths {
		w := &location{path: path}
		work.Go(func() {
			watch.Watch(ctx, watch.Options{
				Folders: w.dirs, Concerns: w.concerns, Clock: s.opts.Clock, Log: s.opts.Log.Named("watch"),
				Changed: func(context.Context) {
					select {
					case changed <- struct{}{}:
					default: // it is to be read anyway
					}
				},
			})
		})
	}
	work.Wait()
}

// follow loads the policies after each change.
func (s *Store) follow(ctx context.Context, changed <-chan struct{}) {
	for again := false; ; again = s.reloadUnless(ctx, changed) {
		if again && ctx.Err() == nil {
			continue
		}
		select {
		case <-ctx.Done():
			return
		case <-changed:
		}
	}
}

// reloadUnless is one reload, which ends early where the content is replaced meanwhile.
// It reports whether that happened.
func (s *Store) reloadUnless(ctx context.Context, changed <-chan struct{}) (replaced bool) {
	attempt, cancel := context.WithCancel(ctx)
	defer cancel()
	done := make(chan struct{})
	go func() {
		defer close(done)
		// The store has logged an error and keeps it in its status.
		_ = s.reload(attempt)
	}()
	for {
		select {
		case <-done:
			return replaced
		case <-changed:
			// Before the attempt has begun it reads what is there by then; what comes too
			// late for that is a change after it.
			if replaced = true; s.superseded() {
				cancel()
			}
		}
	}
}

// location is where policies lie.
type location struct{ path string }

// alone reports whether a file is meant, and not a folder: a bundle, or a key.
func (w *location) alone() bool {
	if isBundle(w.path) {
		return true
	}
	info, err := os.Stat(w.path)
	return err == nil && !info.IsDir()
}

// dirs are the folders that the policies' files are in.
func (w *location) dirs() []string {
	if w.alone() {
		dirs := []string{filepath.Dir(w.path)}
		if real, err := filepath.EvalSymlinks(w.path); err == nil {
			dirs = append(dirs, filepath.Dir(real))
		}
		return dirs
	}
	t := tree{seen: map[string]string{}, listing: true}
	// A folder that can't be read is the next load's to report; what was found is watched.
	_ = t.walk(w.path, "")
	if len(t.dirs) == 0 {
		return []string{filepath.Dir(w.path)} // it may come back
	}
	return t.dirs
}

// concerns leaves out the neighbours of a file.
func (w *location) concerns(e fsnotify.Event) bool {
	name := filepath.Base(e.Name)
	return !w.alone() || isBundle(name) || name == filepath.Base(w.path) || strings.HasPrefix(name, "..")
}
