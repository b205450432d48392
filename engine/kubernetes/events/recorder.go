package events

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"
	"unicode"

	"github.com/hashicorp/go-hclog"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	corev1client "k8s.io/client-go/kubernetes/typed/core/v1"

	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/kubernetes/apiclient"
	"github.com/scanflow-k8s/scanflow/engine/kubernetes/clusterview"
)

const (
	// maxQueued bounds the events that wait to be written. Events beyond it are dropped
	// with a warning; the journal has them.
	maxQueued    = 20_000
	writeTimeout = 10 * time.Second
	// maxMessage is the API server's limit on a message, in bytes.
	maxMessage = 1024
	// repeatAfter is the interval at which a failure that repeats at each firing is recorded
	// again. The API server keeps an event for an hour.
	repeatAfter = 10 * time.Minute
	maxFailures = 20_000
)

// Options configure a Recorder.
type Options struct {
	Client   *apiclient.Client
	View     *clusterview.View // finds the objects that events are about
	Instance string            // names this process
	Clock    engine.Clock
	Log      hclog.Logger
}

// Recorder writes a Kubernetes Event on the target for each act, and for each refusal
// that needs a person: a field that belongs to someone else or a spent budget, but not a
// cooldown. It records a failure that repeats once in ten minutes. It implements
// engine.Observer and never blocks the engine.
type Recorder struct {
	opts  Options
	queue chan *corev1.Event
	stop  context.CancelFunc
	work  sync.WaitGroup

	mu      sync.Mutex
	closed  bool
	dropped int
	failing map[string]failure // by agent, target and verb
}

// failure is the last one that was recorded.
type failure struct {
	text string
	at   time.Time
}

var _ engine.Observer = (*Recorder)(nil)

// NewRecorder starts a goroutine that writes the events; Close ends it.
func NewRecorder(o Options) *Recorder {
	r := &Recorder{opts: o, queue: make(chan *corev1.Event, maxQueued), failing: map[string]failure{}}
	ctx, stop := context.WithCancel(context.Background())
	r.stop = stop
	r.work.Go(func() {
		for e := range r.queue {
			if ctx.Err() == nil {
				r.write(ctx, e)
			}
		}
	})
	return r
}

// Close writes the queued events until ctx ends.
func (r *Recorder) Close(ctx context.Context) error {
	r.mu.Lock()
	if !r.closed {
		r.closed = true
		close(r.queue)
	}
	r.mu.Unlock()
	defer r.stop()
	done := make(chan struct{})
	go func() { defer close(done); r.work.Wait() }()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		r.stop()
		<-done
		return fmt.Errorf("write the last events: %w", ctx.Err())
	}
}

// needsPerson reports whether a refusal by this rule or guard stays until a person acts.
func needsPerson(by string) bool {
	switch by {
	case "plan", "primitives", "shape", "guards.budget", "guards.fleet", "guards.approval", "guards.urls":
		return true
	}
	return strings.HasPrefix(by, "policy:")
}

// Fired records the refusals of a firing. The engine reports a refusal that repeats only
// once.
func (r *Recorder) Fired(f engine.FiringRecord) {
	for _, d := range f.Decisions {
		if d.Verdict == engine.Refused && needsPerson(d.By) {
			r.enqueue(d.Target, corev1.EventTypeWarning, camel(d.Primitive)+"Refused",
				fmt.Sprintf("%s (by %s; strategy %s of agent %s, %s)", d.Detail, d.By, d.Strategy, f.Agent, d.Reason))
		}
	}
}

// Acted records an act, which may end before Fired has its firing.
func (r *Recorder) Acted(a engine.Act) {
	if a.DryRun {
		return
	}
	because := fmt.Sprintf("strategy %s of agent %s", a.Strategy, a.Agent)
	if reason := a.Reason; reason != "" { // unknown for an act that an earlier leader began
		because += ", " + reason
	}
	kind, suffix := corev1.EventTypeNormal, ""
	switch a.Outcome.Status {
	case engine.Failed:
		kind, suffix = corev1.EventTypeWarning, "Failed"
	case engine.Abandoned:
		kind, suffix = corev1.EventTypeWarning, "Abandoned"
	}
	if r.repeats(a) {
		return
	}
	r.enqueue(a.Target.ID(), kind, camel(a.Primitive)+suffix,
		fmt.Sprintf("%s: %s (%s; change %s)", a.Diff, a.Outcome.Detail, because, a.Identity))
}

// repeats reports whether an act failed like the one before it, which was recorded.
func (r *Recorder) repeats(a engine.Act) bool {
	key := fmt.Sprint(a.Agent, a.Target.ID(), a.Primitive)
	r.mu.Lock()
	defer r.mu.Unlock()
	if a.Outcome.Status != engine.Failed {
		delete(r.failing, key)
		return false
	}
	is := failure{a.Diff + a.Outcome.Detail, r.opts.Clock.Now()}
	if was, known := r.failing[key]; known && was.text == is.text && is.at.Sub(was.at) < repeatAfter {
		return true
	}
	if len(r.failing) >= maxFailures { // some are of targets that are long gone
		clear(r.failing)
	}
	r.failing[key] = is
	return false
}

// camel converts a verb to the reason of an event: "ModelServe".
func camel(verb string) string {
	up := true
	return strings.Map(func(c rune) rune {
		if c == '.' {
			up = true
			return -1
		}
		if up {
			up = false
			return unicode.ToUpper(c)
		}
		return c
	}, verb)
}

func (r *Recorder) enqueue(id engine.TargetID, kind, reason, message string) {
	if id.Kind == "" {
		return // a static target, which is no object
	}
	if len(message) > maxMessage {
		message = strings.ToValidUTF8(message[:maxMessage-3], "") + "..."
	}
	now := metav1.NewTime(r.opts.Clock.Now())
	e := &corev1.Event{
		ObjectMeta:     metav1.ObjectMeta{GenerateName: id.Name + ".", Namespace: id.Namespace},
		InvolvedObject: r.opts.View.Reference(id), Reason: reason, Message: message, Type: kind, Count: 1, FirstTimestamp: now, LastTimestamp: now,
		Source: corev1.EventSource{Component: "scanflow", Host: r.opts.Instance}, ReportingController: "scanflow.dev/agent", ReportingInstance: r.opts.Instance,
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return
	}
	select {
	case r.queue <- e:
	default:
		if r.dropped++; r.dropped == 1 {
			r.opts.Log.Warn("events come faster than they can be written; some are dropped, the journal has all", "waiting", maxQueued)
		}
	}
}

// write writes one event, and retries once where the API server was busy or unreachable.
func (r *Recorder) write(ctx context.Context, e *corev1.Event) {
	client, err := corev1client.NewForConfig(r.opts.Client.Config)
	for try := 0; err == nil && try < 2; try++ {
		one, cancel := context.WithTimeout(ctx, writeTimeout)
		_, err = client.Events(e.Namespace).Create(one, e, metav1.CreateOptions{})
		cancel()
		if err == nil || !engine.IsRetryable(apiclient.Classify(err)) {
			break
		}
		err = nil
	}
	if err != nil && ctx.Err() == nil && !apierrors.HasStatusCause(err, corev1.NamespaceTerminatingCause) {
		r.opts.Log.Warn("event not written", "target", e.InvolvedObject.Name, "reason", e.Reason, "error", err)
	}
}
