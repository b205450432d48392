package engine

import (
	"context"
	"sync"
	"time"
)

const (
	// watchPause is the least time between two firings of one watch trigger: an object
	// that changes all the time must not keep its agent busy all the time.
	watchPause = 500 * time.Millisecond
	// mostChanges is how many changes one firing tells of; the rest are merged away.
	mostChanges = 100
)

// watching collects what the watch triggers of an agent saw since they last fired.
type watching struct {
	watcher  Watcher
	triggers []Trigger // those with a watch
	moved    chan struct{}
	work     sync.WaitGroup

	mu      sync.Mutex
	changes [][]ObjectChange // by trigger
	since   []time.Time
	next    []time.Time // when each may fire again
}

func newWatching(watcher Watcher, triggers []Trigger) *watching {
	w := &watching{watcher: watcher, moved: make(chan struct{}, 1)}
	for _, t := range triggers {
		if t.Watch != nil {
			w.triggers = append(w.triggers, t)
		}
	}
	w.changes, w.since, w.next = make([][]ObjectChange, len(w.triggers)), make([]time.Time, len(w.triggers)), make([]time.Time, len(w.triggers))
	return w
}

// start watches until the context ends; stop waits for that.
func (w *watching) start(ctx context.Context, a *agent) {
	for i, t := range w.triggers {
		w.work.Go(func() {
			if w.watcher == nil {
				a.log.Error("watch trigger never fires: nothing here can watch objects", "trigger", t.Name)
				return
			}
			err := w.watcher.Watch(ctx, *t.Watch, func(c ObjectChange) { w.saw(i, c, a.host.Clock.Now()) })
			if err != nil && ctx.Err() == nil {
				a.log.Error("watch trigger fires no more", "trigger", t.Name, "error", err)
			}
		})
	}
}

func (w *watching) saw(i int, c ObjectChange, now time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.changes[i]) == 0 {
		w.since[i] = now
	}
	merged := false
	for j := range w.changes[i] {
		if old := &w.changes[i][j]; old.Namespace == c.Namespace && old.Name == c.Name && old.Kind == c.Kind {
			old.Type, old.To = c.Type, c.To // from is what it was before the first of them
			merged = true
		}
	}
	if !merged && len(w.changes[i]) < mostChanges {
		w.changes[i] = append(w.changes[i], c)
	}
	select {
	case w.moved <- struct{}{}:
	default:
	}
}

// take returns the triggers that saw something and may fire, with when each first did.
func (w *watching) take(now time.Time) (due []TriggerInfo, since []time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for i, t := range w.triggers {
		if len(w.changes[i]) == 0 || w.next[i].After(now) {
			continue
		}
		due, since = append(due, TriggerInfo{Name: t.Name, Kind: "watch", Watch: &Watched{w.changes[i]}}), append(since, w.since[i])
		w.changes[i], w.next[i] = nil, now.Add(watchPause)
	}
	return due, since
}

// nextAt is when something seen may fire.
func (w *watching) nextAt() (at time.Time, any bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for i := range w.triggers {
		if len(w.changes[i]) > 0 && (!any || w.next[i].Before(at)) {
			at, any = w.next[i], true
		}
	}
	return at, any
}
