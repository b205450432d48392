package demo

import (
	"context"
	"errors"
	"net/http"
	"path/filepath"
	"sync"

	"github.com/scanflow-k8s/scanflow/cmd/internal/tracker"
)

// servedTracker is a tracker on a port of this machine. What runs on a cluster reaches it
// there, as pods of the test cluster are processes of this machine.
type servedTracker struct {
	*tracker.Tracker
	url    string
	server *http.Server
	task   sync.WaitGroup
}

// openTracker opens one that keeps its files in the run's folder.
func openTracker(ctx context.Context, o *Options) (_ *servedTracker, err error) {
	t := &servedTracker{}
	if t.Tracker, err = tracker.Open(ctx, tracker.Options{Dir: filepath.Join(o.Dir, "tracker"), Log: o.Log.Named("tracker")}); err != nil {
		return nil, err
	}
	if t.url, t.server, err = loopback(ctx, &t.task, t.Handler()); err != nil {
		return nil, errors.Join(err, t.Close())
	}
	return t, nil
}

func (t *servedTracker) close() error {
	err := t.server.Close()
	t.task.Wait()
	return errors.Join(err, t.Close())
}
