package events

import (
	"context"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	corev1client "k8s.io/client-go/kubernetes/typed/core/v1"

	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/kubernetes/apiclient"
)

const (
	// maxQueued bounds the events that wait to be written. Events beyond it are dropped
	// with a warning; the journal has them.
	maxQueued    = 20_000
	writeTimeout = 10 * time.Second
	// maxMessage is the API server's limit on a message, in bytes.
	maxMessage = 1024
)

// writer writes the queued events one after the other.
type writer struct {
	opts  Options
	queue chan *corev1.Event

	mu      sync.Mutex
	closed  bool
	dropped int
}

func newWriter(o Options) *writer {
	return &writer{opts: o, queue: make(chan *corev1.Event, maxQueued)}
}

// enqueue queues an event. It never blocks.
func (w *writer) enqueue(about corev1.ObjectReference, kind, reason, message string) {
	if len(message) > maxMessage {
		message = strings.ToValidUTF8(message[:maxMessage-3], "") + "..."
	}
	now := metav1.NewTime(w.opts.Clock.Now())
	e := &corev1.Event{
		ObjectMeta:     metav1.ObjectMeta{GenerateName: about.Name + ".", Namespace: about.Namespace},
		InvolvedObject: about, Reason: reason, Message: message, Type: kind, Count: 1, FirstTimestamp: now, LastTimestamp: now,
		Source: corev1.EventSource{Component: "scanflow", Host: w.opts.Instance}, ReportingController: "scanflow.dev/agent", ReportingInstance: w.opts.Instance,
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return
	}
	select {
	case w.queue <- e:
	default:
		if w.dropped++; w.dropped == 1 {
			w.opts.Log.Warn("events come faster than they can be written; some are dropped, the journal has all", "waiting", maxQueued)
		}
	}
}

// close ends run once the queue is empty.
func (w *writer) close() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.closed {
		w.closed = true
		close(w.queue)
	}
}

// run writes events until close, and drops what is queued once ctx ends.
func (w *writer) run(ctx context.Context) {
	client, err := corev1client.NewForConfig(w.opts.Client.Config)
	if err != nil { // the configuration served other clients already
		w.opts.Log.Error("events can't be written", "error", err)
	}
	for e := range w.queue {
		if err == nil && ctx.Err() == nil {
			w.write(ctx, client, e)
		}
	}
}

// write writes one event, and retries once where the API server was busy or unreachable.
func (w *writer) write(ctx context.Context, client corev1client.EventsGetter, e *corev1.Event) {
	var err error
	for range 2 {
		one, cancel := context.WithTimeout(ctx, writeTimeout)
		_, err = client.Events(e.Namespace).Create(one, e, metav1.CreateOptions{})
		cancel()
		if err == nil || !engine.IsRetryable(apiclient.Classify(err)) {
			break
		}
	}
	if err != nil && ctx.Err() == nil && !apierrors.HasStatusCause(err, corev1.NamespaceTerminatingCause) {
		w.opts.Log.Warn("event not written", "object", e.InvolvedObject.Name, "reason", e.Reason, "error", err)
	}
}
