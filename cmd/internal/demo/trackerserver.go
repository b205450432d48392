package demo

import (
	"context"
	"errors"
	"net/http"
	"path/filepath"
	"sync"

	"github.com/scanflow-k8s/scanflow/cmd/internal/tracker"
)

// trackerServer is a tracker on a port of this machine. Workloads on the test cluster reach it
// there, because its pods are processes of this machine.
type trackerServer struct {
	*tracker.Tracker
	url    string
	server *http.Server
	task   sync.WaitGroup
}

// openTracker opens a tracker with its files in the run's folder.
func openTracker(ctx context.Context, o *Options) (_ *trackerServer, err error) {
	t := &trackerServer{}
	if t.Tracker, err = tracker.Open(ctx, tracker.Options{Dir: filepath.Join(o.Dir, "tracker"), Log: o.Log.Named("tracker")}); err != nil {
		return nil, err
	}
	if t.url, t.server, err = loopback(ctx, &t.task, t.Handler()); err != nil {
		return nil, errors.Join(err, t.Close())
	}
	return t, nil
}

func (t *trackerServer) close() error {
	err := t.server.Close()
	t.task.Wait()
	return errors.Join(err, t.Close())
}
