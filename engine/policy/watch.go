package policy

import (
	"context"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/fsnotify/fsnotify"
)

const (
	// settleFor is how long it must be quiet after a change before the policies are
	// read: an editor or a mount makes several changes at once. patienceFor is how
	// long they are waited for at most.
	settleFor   = 50 * time.Millisecond
	patienceFor = 250 * time.Millisecond
	// pollEvery is how often the content is compared where no event came: some file
	// systems send none.
	pollEvery = 30 * time.Second
)

// Watch loads the policies anew whenever the folder or bundle at the path
// changes, until the context ends; the caller waits for it to return. What it
// finds is in Status. Content that was refused is not tried again before it changes.
func (s *Store) Watch(ctx context.Context, path string) {
	w := watcher{store: s, path: path, log: s.opts.Log.Named("watch")}
	var events <-chan fsnotify.Event
	var failures <-chan error
	if n, err := fsnotify.NewWatcher(); err != nil {
		w.log.Warn("no events from the file system; looking for changes instead", "every", pollEvery, "error", err)
	} else {
		w.notify = n
		events, failures = n.Events, n.Errors
		defer func() { _ = n.Close() }()
	}
	w.aim()
	w.reload(ctx) // what changed between the first load and now

	clock := s.opts.Clock
	poll, stopPoll := clock.Timer(pollEvery)
	defer func() { stopPoll() }()
	var quiet <-chan time.Time
	stopQuiet := func() {}
	defer func() { stopQuiet() }()
	var began time.Time
	changed := func() {
		now := clock.Now()
		if quiet == nil {
			began = now
		}
		if quiet != nil && now.Sub(began)+settleFor > patienceFor {
			return // the timer that runs is the last one
		}
		stopQuiet()
		quiet, stopQuiet = clock.Timer(settleFor)
	}
	for {
		select {
		case <-ctx.Done():
			return
		case e, ok := <-events:
			if !ok {
				events = nil
			} else if w.concerns(e) {
				changed()
			}
		case err, ok := <-failures:
			if !ok {
				failures = nil
				continue
			}
			w.log.Warn("events from the file system may be lost; reading again", "error", err)
			changed()
		case <-quiet:
			stopQuiet()
			quiet, stopQuiet = nil, func() {}
			w.aim()
			w.reload(ctx)
		case <-poll:
			stopPoll()
			w.aim()
			w.reload(ctx)
			poll, stopPoll = clock.Timer(pollEvery)
		}
	}
}

// watcher knows which folders the policies' files are in.
type watcher struct {
	store  *Store
	path   string
	notify *fsnotify.Watcher
	log    interface {
		Warn(msg string, args ...any)
	}
}

func (w *watcher) reload(ctx context.Context) {
	// The store has logged an error and keeps it in its status.
	_ = w.store.reload(ctx)
}

// aim watches the folders as they are now, before they are read. A folder made
// while its parent was not watched yet sends no event, so it looks again until
// nothing is new.
func (w *watcher) aim() {
	if w.notify == nil {
		return
	}
	var dirs []string
	for range 10 {
		found := w.dirs()
		if dirs != nil && slices.Equal(found, dirs) {
			break
		}
		dirs = found
		for _, dir := range dirs {
			if err := w.notify.Add(dir); err != nil {
				w.log.Warn("can't watch a policy folder; looking for changes instead", "folder", dir, "every", pollEvery, "error", err)
			}
		}
	}
	for _, old := range w.notify.WatchList() {
		if !slices.Contains(dirs, old) {
			_ = w.notify.Remove(old) // gone already, perhaps
		}
	}
}

func (w *watcher) dirs() []string {
	if isBundle(w.path) {
		dirs := []string{filepath.Dir(w.path)}
		if real, err := filepath.EvalSymlinks(w.path); err == nil {
			dirs = append(dirs, filepath.Dir(real))
		}
		return dirs
	}
	t := tree{seen: map[string]bool{}, listing: true}
	// A folder that can't be read is the next load's to report; what was found is watched.
	_ = t.walk(w.path, "")
	if len(t.dirs) == 0 {
		return []string{filepath.Dir(w.path)} // it may come back
	}
	return t.dirs
}

// concerns leaves out events that change no content, and the neighbours of a bundle.
func (w *watcher) concerns(e fsnotify.Event) bool {
	if e.Op == fsnotify.Chmod {
		return false
	}
	name := filepath.Base(e.Name)
	return !isBundle(w.path) || isBundle(name) || strings.HasPrefix(name, "..")
}
