package loop

import (
	"context"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/scanflow-k8s/scanflow/engine"
)

const (
	// watchPause is the least time between two firings of one watch trigger: an object that
	// changes all the time does not keep its agent busy all the time.
	watchPause = 500 * time.Millisecond
	// mostChanges bounds the changes that one firing has; it loses the others.
	mostChanges = 100
)

// watches collects what the watch triggers of an agent saw since they last fired.
type watches struct {
	watcher  engine.Watcher
	triggers []engine.Trigger // those with a watch
	clock    engine.Clock
	log      hclog.Logger
	changed  chan struct{}
	work     sync.WaitGroup

	mu      sync.Mutex
	changes [][]engine.ObjectChange // by trigger
	since   []time.Time
	next    []time.Time // when each may fire again
}

func newWatches(watcher engine.Watcher, triggers []engine.Trigger, clock engine.Clock, log hclog.Logger) *watches {
	w := &watches{watcher: watcher, clock: clock, log: log, changed: make(chan struct{}, 1)}
	for _, t := range triggers {
		if t.Watch != nil {
			w.triggers = append(w.triggers, t)
		}
	}
	n := len(w.triggers)
	w.changes, w.since, w.next = make([][]engine.ObjectChange, n), make([]time.Time, n), make([]time.Time, n)
	return w
}

// start watches until the context ends; work waits for that.
func (w *watches) start(ctx context.Context) {
	for i, t := range w.triggers {
		w.work.Go(func() {
			if w.watcher == nil {
				w.log.Error("watch trigger never fires: nothing here can watch objects", "trigger", t.Name)
				return
			}
			err := w.watcher.Watch(ctx, *t.Watch, func(c engine.ObjectChange) { w.add(i, c) })
			if err != nil && ctx.Err() == nil {
				w.log.Error("watch trigger fires no more", "trigger", t.Name, "error", err)
			}
		})
	}
}

func (w *watches) add(i int, c engine.ObjectChange) {
	now := w.clock.Now()
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.changes[i]) == 0 {
		w.since[i] = now
	}
	merged := false
	for j := range w.changes[i] {
		if old := &w.changes[i][j]; old.Namespace == c.Namespace && old.Name == c.Name && old.Kind == c.Kind {
			old.Type, old.To = c.Type, c.To // From stays that of the first change
			merged = true
		}
	}
	if !merged && len(w.changes[i]) < mostChanges {
		w.changes[i] = append(w.changes[i], c)
	}
	select {
	case w.changed <- struct{}{}:
	default:
	}
}

// take returns the triggers that saw a change and may fire.
func (w *watches) take(now time.Time) []firing {
	w.mu.Lock()
	defer w.mu.Unlock()
	var out []firing
	for i, t := range w.triggers {
		if len(w.changes[i]) == 0 || w.next[i].After(now) {
			continue
		}
		info := engine.TriggerInfo{Name: t.Name, Kind: "watch", Watch: &engine.Watched{Objects: w.changes[i]}}
		out = append(out, firing{info, w.since[i]})
		w.changes[i], w.next[i] = nil, now.Add(watchPause)
	}
	return out
}

// nextAt returns when a change may fire its trigger, and reports whether there is one.
func (w *watches) nextAt() (at time.Time, any bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for i := range w.triggers {
		if len(w.changes[i]) > 0 && (!any || w.next[i].Before(at)) {
			at, any = w.next[i], true
		}
	}
	return at, any
}

// rewind shortens the pauses to watchPause, after the clock was set back.
func (w *watches) rewind(now time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for i := range w.next {
		if latest := now.Add(watchPause); w.next[i].After(latest) {
			w.next[i] = latest
		}
	}
}
