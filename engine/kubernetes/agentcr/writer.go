package agentcr

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"

	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/backoff"
	"github.com/scanflow-k8s/scanflow/engine/kubernetes/apiclient"
	"github.com/scanflow-k8s/scanflow/engine/manifest"
)

const (
	// minInterval is between two writes of one agent's status.
	minInterval   = 5 * time.Second
	maxConcurrent = 4
	// maxConflicts bounds the immediate retries while others write.
	maxConflicts = 3
	fieldManager = "scanflow-status"
)

// retry spaces out failed writes of a status.
var retry = backoff.Exponential{First: time.Second, Most: time.Minute}

// writer writes the last reported status of each agent.
type writer struct {
	api       dynamic.NamespaceableResourceInterface
	store     *store
	clock     engine.Clock
	log       hclog.Logger
	event     func(agent, kind, reason, message string)
	wake      chan struct{}
	batchLock chan struct{} // held while a batch is written

	mu      sync.Mutex
	pending map[types.NamespacedName]*pendingStatus
	closed  bool
}

// pendingStatus is one agent's status to write.
type pendingStatus struct {
	want      *Status // nil if there is nothing to write
	notBefore time.Time
	failures  int    // in a row
	logged    string // the last failure that was logged
}

func newWriter(api dynamic.NamespaceableResourceInterface, s *store, clock engine.Clock, log hclog.Logger) *writer {
	return &writer{
		api: api, store: s, clock: clock, log: log, event: func(string, string, string, string) {}, wake: make(chan struct{}, 1), batchLock: make(chan struct{}, 1),
		pending: map[types.NamespacedName]*pendingStatus{},
	}
}

func (w *writer) report(name types.NamespacedName, status Status) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return
	}
	l := w.pending[name]
	if l == nil {
		l = &pendingStatus{}
		w.pending[name] = l
	}
	l.want = &status
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// run writes what is due until ctx ends.
func (w *writer) run(ctx context.Context) {
	select {
	case <-w.store.synced: // before that, an unknown agent may exist
	case <-ctx.Done():
		return
	}
	for ctx.Err() == nil {
		names, next := w.due()
		if len(names) > 0 {
			// Failures are logged and scheduled again.
			_ = w.batch(ctx, names)
			continue
		}
		w.wait(ctx, next)
	}
}

// wait returns after a Report, or when the next write is due.
func (w *writer) wait(ctx context.Context, next time.Time) {
	var due <-chan time.Time
	if !next.IsZero() {
		timer, stop := w.clock.Timer(next.Sub(w.clock.Now()))
		defer stop()
		due = timer
	}
	select {
	case <-ctx.Done():
	case <-w.wake:
	case <-due:
	}
}

// due returns the agents to write now, and when the next one is due. It drops agents that are
// gone.
func (w *writer) due() (names []types.NamespacedName, next time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	now := w.clock.Now()
	for name, l := range w.pending {
		if _, there := w.store.get(name); !there {
			delete(w.pending, name)
			continue
		}
		switch {
		case l.want == nil:
		case !l.notBefore.After(now):
			names = append(names, name)
		case next.IsZero() || l.notBefore.Before(next):
			next = l.notBefore
		}
	}
	return names, next
}

// batch writes some agents, maxConcurrent at a time.
func (w *writer) batch(ctx context.Context, names []types.NamespacedName) error {
	select {
	case w.batchLock <- struct{}{}:
		defer func() { <-w.batchLock }()
	case <-ctx.Done():
		return ctx.Err()
	}
	errs := make([]error, len(names))
	slots := make(chan struct{}, maxConcurrent)
	var tasks sync.WaitGroup
	for i, name := range names {
		slots <- struct{}{}
		tasks.Go(func() {
			defer func() { <-slots }()
			errs[i] = w.writeOne(ctx, name)
		})
	}
	tasks.Wait()
	return errors.Join(errs...)
}

func (w *writer) writeOne(ctx context.Context, name types.NamespacedName) error {
	w.mu.Lock()
	l := w.pending[name]
	if l == nil || l.want == nil {
		w.mu.Unlock()
		return nil
	}
	want := l.want
	w.mu.Unlock()

	wrote, err := w.write(ctx, name, *want)

	w.mu.Lock()
	defer w.mu.Unlock()
	if err != nil {
		return w.failed(ctx, name, l, err)
	}
	l.failures, l.logged = 0, ""
	if wrote {
		l.notBefore = w.clock.Now().Add(minInterval)
	}
	if l.want == want { // no newer Report meanwhile
		l.want = nil
	}
	return nil
}

// failed schedules the next attempt, and logs a new failure.
func (w *writer) failed(ctx context.Context, name types.NamespacedName, l *pendingStatus, err error) error {
	err = fmt.Errorf("write the status of agent %s: %w", name, err)
	l.failures++
	wait := retry.After(l.failures)
	l.notBefore = w.clock.Now().Add(wait)
	if ctx.Err() == nil && l.logged != err.Error() && !errors.Is(err, apiclient.ErrDeposed) {
		w.log.Warn("an agent's status could not be written; trying again", "agent", name, "in", wait, "error", err)
		l.logged = err.Error()
	}
	return err
}

// write updates the status in the cluster, and reports whether that was necessary. It is not
// for an agent that is gone, or was created anew since the report. After a conflict it reads
// the agent again, so that fields of other writers stay.
func (w *writer) write(ctx context.Context, name types.NamespacedName, want Status) (wrote bool, err error) {
	api := w.api.Namespace(name.Namespace)
	for range maxConflicts {
		e, there := w.store.get(name)
		if !there || want.ObservedGeneration > e.found.Generation {
			return false, nil
		}
		var patch []byte
		if patch, err = want.patch(e, w.clock.Now()); err != nil || patch == nil {
			return false, err
		}
		var shown *unstructured.Unstructured
		shown, err = api.Patch(ctx, name.Name, types.MergePatchType, patch, metav1.PatchOptions{FieldManager: fieldManager}, "status")
		wrote = err == nil
		if apierrors.IsConflict(err) {
			shown, err = w.read(ctx, name)
		}
		switch {
		case apierrors.IsNotFound(err):
			return false, nil
		case err != nil:
			return true, apiclient.Classify(err)
		case shown.GetUID() != e.found.UID:
			return false, nil
		}
		if w.store.refresh(shown); wrote {
			for _, t := range transitions(e.found.Shown, statusOf(shown)) {
				w.event(name.String(), t.kind, t.reason, t.message)
			}
			return true, nil
		}
	}
	return true, engine.Retry(fmt.Errorf("others changed it %d times meanwhile", maxConflicts))
}

// read reads one agent by a list, which the watch has the right to.
func (w *writer) read(ctx context.Context, name types.NamespacedName) (*unstructured.Unstructured, error) {
	list, err := w.api.Namespace(name.Namespace).List(ctx, metav1.ListOptions{FieldSelector: "metadata.name=" + name.Name})
	if err != nil {
		return nil, err
	}
	if len(list.Items) == 0 {
		return nil, apierrors.NewNotFound(schema.GroupResource{Resource: manifest.Plural}, name.Name)
	}
	return &list.Items[0], nil
}

func (w *writer) close(ctx context.Context) error {
	w.mu.Lock()
	w.closed = true
	var names []types.NamespacedName
	for name, l := range w.pending {
		if l.want != nil {
			names = append(names, name)
		}
	}
	w.mu.Unlock()
	return w.batch(ctx, names)
}
