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
	// pace is the least time between two writes of one agent's status.
	pace = 5 * time.Second
	// atOnce bounds the writes under way.
	atOnce = 4
	// triesEach is how often a write is tried at once while others write too.
	triesEach = 3
	// fieldManager is how the API server records who wrote.
	fieldManager = "scanflow-status"
)

// retry spaces out the writes of a status that fail.
var retry = backoff.Exponential{First: time.Second, Most: time.Minute}

// writer writes what was reported last of each agent.
type writer struct {
	api   dynamic.NamespaceableResourceInterface
	store *store
	clock engine.Clock
	log   hclog.Logger
	wake  chan struct{}
	turn  chan struct{} // held by whoever writes a batch

	mu     sync.Mutex
	lines  map[types.NamespacedName]*line
	closed bool
}

// line is one agent's place in the queue.
type line struct {
	want      *Status // nil where there is nothing to write
	notBefore time.Time
	failures  int    // in a row
	said      string // the failure that was logged last
}

func newWriter(api dynamic.NamespaceableResourceInterface, s *store, clock engine.Clock, log hclog.Logger) *writer {
	return &writer{
		api: api, store: s, clock: clock, log: log, wake: make(chan struct{}, 1), turn: make(chan struct{}, 1),
		lines: map[types.NamespacedName]*line{},
	}
}

func (w *writer) report(name types.NamespacedName, status Status) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return
	}
	l := w.lines[name]
	if l == nil {
		l = &line{}
		w.lines[name] = l
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
	case <-w.store.synced: // before, an agent unknown may be there
	case <-ctx.Done():
		return
	}
	for ctx.Err() == nil {
		names, next := w.due()
		if len(names) > 0 {
			// What failed is told of in the log, and has its next time.
			_ = w.batch(ctx, names)
			continue
		}
		w.wait(ctx, next)
	}
}

// wait returns when something was reported, or the next write is due.
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

// due are the agents to be written now, and when the next one is. Agents that are
// gone lose their line.
func (w *writer) due() (names []types.NamespacedName, next time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	now := w.clock.Now()
	for name, l := range w.lines {
		if _, there := w.store.get(name); !there {
			delete(w.lines, name)
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

// batch writes some agents, a few at a time.
func (w *writer) batch(ctx context.Context, names []types.NamespacedName) error {
	select {
	case w.turn <- struct{}{}:
		defer func() { <-w.turn }()
	case <-ctx.Done():
		return ctx.Err()
	}
	errs := make([]error, len(names))
	room := make(chan struct{}, atOnce)
	var tasks sync.WaitGroup
	for i, name := range names {
		room <- struct{}{}
		tasks.Go(func() {
			defer func() { <-room }()
			errs[i] = w.one(ctx, name)
		})
	}
	tasks.Wait()
	return errors.Join(errs...)
}

func (w *writer) one(ctx context.Context, name types.NamespacedName) error {
	w.mu.Lock()
	l := w.lines[name]
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
	l.failures, l.said = 0, ""
	if wrote {
		l.notBefore = w.clock.Now().Add(pace)
	}
	if l.want == want { // nothing newer came meanwhile
		l.want = nil
	}
	return nil
}

// failed sets the time of the next try, and logs what is news.
func (w *writer) failed(ctx context.Context, name types.NamespacedName, l *line, err error) error {
	err = fmt.Errorf("write the status of agent %s: %w", name, err)
	l.failures++
	wait := retry.After(l.failures)
	l.notBefore = w.clock.Now().Add(wait)
	if ctx.Err() == nil && l.said != err.Error() && !errors.Is(err, apiclient.ErrDeposed) {
		w.log.Warn("an agent's status could not be written; trying again", "agent", name, "in", wait, "error", err)
		l.said = err.Error()
	}
	return err
}

// write makes the cluster show the status, and tells whether it had to. An agent that
// is gone, or was made anew since the report, needs none. One that somebody changed
// since the watch last told is read again first: what others wrote must stay.
func (w *writer) write(ctx context.Context, name types.NamespacedName, want Status) (wrote bool, err error) {
	api := w.api.Namespace(name.Namespace)
	for range triesEach {
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
			return true, nil
		}
	}
	return true, engine.Retry(fmt.Errorf("others changed it %d times meanwhile", triesEach))
}

// read gets one agent by the right to list them, which the watch has.
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
	for name, l := range w.lines {
		if l.want != nil {
			names = append(names, name)
		}
	}
	w.mu.Unlock()
	return w.batch(ctx, names)
}
