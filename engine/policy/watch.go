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

// Watch reloads the policies whenever a folder, bundle or other file at one of the
// paths changes, until the context ends. It blocks. The results are in Status.
// Refused content is not tried again until it changes, and an attempt is cancelled
// when its content is replaced.
func (s *Store) Watch(ctx context.Context, paths ...string) {
	changed := make(chan struct{}, 1)
	var work sync.WaitGroup
	work.Go(func() { s.reloadOnChange(ctx, changed) })
	for _, path := range paths {
		w := &location{path: path}
		work.Go(func() {
			watch.Watch(ctx, watch.Options{
				Folders: w.folders, Concerns: w.affects, Clock: s.opts.Clock, Log: s.opts.Log.Named("watch"),
				Changed: func(context.Context) {
					select {
					case changed <- struct{}{}:
					default: // a reload is pending
					}
				},
			})
		})
	}
	work.Wait()
}

// reloadOnChange reloads the policies after each change.
func (s *Store) reloadOnChange(ctx context.Context, changed <-chan struct{}) {
	for again := false; ; again = s.reloadUntilReplaced(ctx, changed) {
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

// reloadUntilReplaced reloads once and cancels that when the content is replaced
// meanwhile. It reports whether there was a change.
func (s *Store) reloadUntilReplaced(ctx context.Context, changed <-chan struct{}) (replaced bool) {
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
			// An attempt that has not begun will read the new content anyway.
			if replaced = true; s.superseded() {
				cancel()
			}
		}
	}
}

// location is a watched path.
type location struct{ path string }

// isFile reports whether the path is a file (a bundle or a key) and not a folder.
func (w *location) isFile() bool {
	if isBundle(w.path) {
		return true
	}
	info, err := os.Stat(w.path)
	return err == nil && !info.IsDir()
}

// folders returns the folders that contain the files of the policies.
func (w *location) folders() []string {
	if w.isFile() {
		dirs := []string{filepath.Dir(w.path)}
		if real, err := filepath.EvalSymlinks(w.path); err == nil {
			dirs = append(dirs, filepath.Dir(real))
		}
		return dirs
	}
	t := tree{seen: map[string]string{}, namesOnly: true}
	// The next load reports a folder that can't be read; the others are watched.
	_ = t.walk(w.path, "")
	if len(t.dirs) == 0 {
		return []string{filepath.Dir(w.path)} // it may be created again
	}
	return t.dirs
}

// affects reports whether an event may concern the path, and not another file in its folder.
func (w *location) affects(e fsnotify.Event) bool {
	name := filepath.Base(e.Name)
	return !w.isFile() || isBundle(name) || name == filepath.Base(w.path) || strings.HasPrefix(name, "..")
}
