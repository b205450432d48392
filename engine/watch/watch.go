// Package watch tells when files change: after an edit in place, an atomic rename,
// a new folder, or the swap of a ConfigMap mount's symlink. It says only that
// something changed, never what: its user reads everything anew and compares.
// Start reading at Watch.
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
	// settleFor is how long it must be quiet after a change before it is told: an
	// editor or a mount makes several changes at once. patienceFor is the longest
	// that it is put off.
	settleFor   = 50 * time.Millisecond
	patienceFor = 250 * time.Millisecond
)

// PollEvery is how often Changed is called without any event: some file systems
// send none.
const PollEvery = 30 * time.Second

// Options say what to watch.
type Options struct {
	// Folders lists the folders to watch, not what is below them. It is asked anew
	// before each Changed, so that a folder that is new is watched before it is read.
	Folders func() []string
	// Concerns leaves out events; nil takes all. Changes of mode never count.
	Concerns func(fsnotify.Event) bool
	// Changed is called when something may have changed, once at the start, and
	// from time to time in any case; one call at a time.
	Changed func(context.Context)
	Clock   engine.Clock
	Log     hclog.Logger
}

// Watch calls Changed until the context ends; the caller waits for it to return.
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
	w.look(ctx) // what changed before the watch began

	poll := w.alarm(PollEvery)
	defer func() { poll.stop() }()
	var quiet alarm
	defer func() { quiet.stop() }()
	var began time.Time
	changed := func() {
		now := o.Clock.Now()
		if quiet.ring == nil {
			began = now
		} else if now.Sub(began)+settleFor > patienceFor {
			return // the alarm that is set is the last one
		}
		quiet.stop()
		quiet = w.alarm(settleFor)
	}
	for {
		select {
		case <-ctx.Done():
			return
		case e, ok := <-events:
			if !ok {
				events = nil
			} else if e.Op != fsnotify.Chmod && (o.Concerns == nil || o.Concerns(e)) {
				changed()
			}
		case err, ok := <-failures:
			if !ok {
				failures = nil
				continue
			}
			o.Log.Warn("events from the file system may be lost; reading again", "error", err)
			changed()
		case <-quiet.ring:
			quiet = alarm{}
			w.look(ctx)
		case <-poll.ring:
			w.look(ctx)
			poll = w.alarm(PollEvery)
		}
	}
}

type watcher struct {
	Options
	notify *fsnotify.Watcher
}

// look watches the folders as they are now, and then has them read.
func (w *watcher) look(ctx context.Context) {
	if w.notify != nil {
		w.aim()
	}
	w.Changed(ctx)
}

// aim watches the folders. One made while its parent was not watched yet sends no
// event, so it looks again until nothing is new.
func (w *watcher) aim() {
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
			_ = w.notify.Remove(old) // gone already, perhaps
		}
	}
}

// alarm is a timer of the clock. The zero alarm never rings.
type alarm struct {
	ring <-chan time.Time
	end  func()
}

func (w *watcher) alarm(d time.Duration) alarm {
	ring, end := w.Clock.Timer(d)
	return alarm{ring, end}
}

func (a alarm) stop() {
	if a.end != nil {
		a.end()
	}
}
