package policy

import (
	"context"
	"sync"

	"github.com/scanflow-k8s/scanflow/engine/policy/source"
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
		w := &source.Location{Path: path}
		work.Go(func() {
			watch.Watch(ctx, watch.Options{
				Folders: w.Folders, Filter: w.Affects, Clock: s.opts.Clock, Log: s.opts.Log.Named("watch"),
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
