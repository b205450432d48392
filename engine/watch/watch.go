// Package watch reports changes of files: an edit in place, an atomic rename, a new
// folder, or the swap of a ConfigMap mount's symlink. It never reports what has changed:
// its user reads everything again and compares. Start reading at Watch.
package watch

import (
	"context"
	"slices"
	"time"

	"github.com/fsnotify/fsnotify"
	"github.com/hashicorp/go-hclog"

	"github.com/scanflow-k8s/scanflow/engine"
)

const (
	// debounce is the quiet time after a change before it is reported, because an editor
	// or a mount makes several changes at once. maxDelay bounds the delay of a report.
	debounce = 50 * time.Millisecond
	maxDelay = 250 * time.Millisecond
)

// PollEvery is the interval of calls of Changed without events, which some file systems
// don't send.
const PollEvery = 30 * time.Second

// Options configure what is watched.
type Options struct {
	// Folders returns the folders to watch, without recursion. It is called before each
	// Changed, so that a new folder is watched before it is read.
	Folders func() []string
	// Filter reports whether an event matters; nil accepts all. Changes of mode never do.
	Filter func(fsnotify.Event) bool
	// Changed is called when something may have changed, once at the start, and every
	// PollEvery. Calls don't overlap.
	Changed func(context.Context)
	Clock   engine.Clock
	Log     hclog.Logger
}

// Watch calls Changed until the context ends. It blocks.
func Watch(ctx context.Context, o Options) {
	w := watcher{Options: o}
	var events <-chan fsnotify.Event
	var failures <-chan error
	if n, err := fsnotify.NewWatcher(); err != nil {
		o.Log.Warn("no events from the file system; looking for changes instead", "every", PollEvery, "error", err)
	} else {
		w.notify = n
		events, failures = n.Events, n.Errors
		defer func() { _ = n.Close() }()
	}
	w.report(ctx) // changes before the watch began

	poll := w.newTimer(PollEvery)
	defer func() { poll.stop() }()
	var quiet timer
	defer func() { quiet.stop() }()
	var began time.Time
	changed := func() {
		now := o.Clock.Now()
		if quiet.c == nil {
			began = now
		} else if now.Sub(began)+debounce > maxDelay {
			return // keep the timer that runs
		}
		quiet.stop()
		quiet = w.newTimer(debounce)
	}
	for {
		select {
		case <-ctx.Done():
			return
		case e, ok := <-events:
			if !ok {
				events = nil
			} else if e.Op != fsnotify.Chmod && (o.Filter == nil || o.Filter(e)) {
				changed()
			}
		case err, ok := <-failures:
			if !ok {
				failures = nil
				continue
			}
			o.Log.Warn("events from the file system may be lost; reading again", "error", err)
			changed()
		case <-quiet.c:
			quiet = timer{}
			w.report(ctx)
		case <-poll.c:
			w.report(ctx)
			poll = w.newTimer(PollEvery)
		}
	}
}

type watcher struct {
	Options
	notify *fsnotify.Watcher
}

// report updates the watched folders and calls Changed.
func (w *watcher) report(ctx context.Context) {
	if w.notify != nil {
		w.updateFolders()
	}
	w.Changed(ctx)
}

// updateFolders watches the current folders. A folder that is created before its parent
// is watched sends no event, so it repeats until it finds no new folder.
func (w *watcher) updateFolders() {
	var folders []string
	for range 10 {
		found := w.Folders()
		if folders != nil && slices.Equal(found, folders) {
			break
		}
		folders = found
		for _, dir := range folders {
			if err := w.notify.Add(dir); err != nil {
				w.Log.Warn("can't watch a folder; looking for changes instead", "folder", dir, "every", PollEvery, "error", err)
			}
		}
	}
	for _, old := range w.notify.WatchList() {
		if !slices.Contains(folders, old) {
			_ = w.notify.Remove(old) // it may have been deleted
		}
	}
}

// timer is a timer of the clock. The zero timer never fires.
type timer struct {
	c   <-chan time.Time
	end func()
}

func (w *watcher) newTimer(d time.Duration) timer {
	c, end := w.Clock.Timer(d)
	return timer{c, end}
}

func (t timer) stop() {
	if t.end != nil {
		t.end()
	}
}
