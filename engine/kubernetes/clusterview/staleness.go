package clusterview

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/kubernetes/apiclient"
)

// requestSent starts the time that MaxStaleness bounds, unless it is running already.
func (inf *informer) requestSent() {
	inf.mu.Lock()
	defer inf.mu.Unlock()
	if inf.silentSince.IsZero() {
		inf.silentSince = inf.view.clock.Now()
	}
}

// tolerates reports whether an error, or none, needs no log entry.
func (inf *informer) tolerates(problem error) bool {
	return problem == nil || inf.key.optional && apiclient.Missing(problem)
}

func (inf *informer) requestFailed(err error) {
	inf.mu.Lock()
	defer inf.mu.Unlock()
	if inf.tolerates(inf.lastErr) && !inf.tolerates(err) {
		inf.view.log.Warn("can't follow objects, and tries again", "objects", inf.key.String(), "error", err)
	}
	inf.lastErr = err
	inf.notify()
}

func (inf *informer) requestSucceeded() {
	inf.mu.Lock()
	defer inf.mu.Unlock()
	if !inf.tolerates(inf.lastErr) {
		inf.view.log.Info("follows objects again", "objects", inf.key.String())
	}
	inf.silentSince, inf.lastErr = time.Time{}, nil
	inf.notify()
}

func (inf *informer) listed() {
	inf.mu.Lock()
	inf.synced = true
	inf.mu.Unlock()
	inf.requestSucceeded()
}

// watched records the right that a watch lacks, nil where it was opened.
func (inf *informer) watched(lacks engine.RightError) {
	inf.mu.Lock()
	defer inf.mu.Unlock()
	inf.unwatched = lacks // nil is a nil error, as both are interfaces
}

// fault returns why the objects can't be listed or watched now. Cached objects may be recent
// enough all the same.
func (inf *informer) fault() error {
	inf.mu.Lock()
	defer inf.mu.Unlock()
	if inf.lastErr != nil {
		return inf.lastErr
	}
	return inf.unwatched
}

// notify wakes the callers of ready. The mutex is held.
func (inf *informer) notify() {
	close(inf.changed)
	inf.changed = make(chan struct{})
}

// ready waits for the first list. The error says why there is none, or since when the API
// server has not answered.
func (inf *informer) ready(ctx context.Context) error {
	for {
		if inf.view.ctx.Err() != nil {
			return ErrClosed
		}
		inf.mu.Lock()
		err, final := inf.state()
		changed := inf.changed
		inf.mu.Unlock()
		if err == nil || final {
			return err
		}
		select {
		case <-changed:
		case <-inf.view.ctx.Done():
			return ErrClosed
		case <-ctx.Done():
			return engine.Retry(fmt.Errorf("%w before its time was up: %w", err, ctx.Err()))
		}
	}
}

// state returns nil where the cached objects are recent enough to use. An error that is
// not final can go away while the caller waits.
func (inf *informer) state() (err error, final bool) {
	late := !inf.silentSince.IsZero() && inf.view.clock.Now().Sub(inf.silentSince) > inf.view.maxStale
	why := inf.lastErr
	if why == nil {
		why = errors.New("the API server does not answer")
	}
	switch {
	case apiclient.Missing(inf.lastErr):
		return inf.lastErr, true
	case !inf.synced:
		return fmt.Errorf("list %s: %w", inf.key, why), inf.lastErr != nil && !engine.IsRetryable(inf.lastErr)
	case late:
		return engine.Retry(fmt.Errorf("nothing was heard of %s since %s: %w", inf.key, inf.silentSince.UTC().Format(time.RFC3339), why)), true
	}
	return nil, false
}

// healthy reports whether the cached objects are recent enough to use.
func (inf *informer) healthy() bool {
	inf.mu.Lock()
	defer inf.mu.Unlock()
	err, _ := inf.state()
	return err == nil
}
