package agentcr

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/tools/cache"
	"k8s.io/klog/v2"

	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/kubernetes/apiclient"
	"github.com/scanflow-k8s/scanflow/engine/manifest"
	"github.com/scanflow-k8s/scanflow/engine/mistake"
)

// Options configure a Source.
type Options struct {
	Client *apiclient.Client
	// Namespace is the only namespace that is watched; "" is the whole cluster.
	Namespace string
	// Selector selects agents by label; "" selects all.
	Selector string
	Kinds    manifest.Kinds
	// Event receives what a written status changed for a person; nil discards. kind is Normal or
	// Warning, agent is namespace/name.
	Event func(agent, kind, reason, message string)
	Log   hclog.Logger // nil discards
	Clock engine.Clock // nil is engine.WallClock
}

// Found is an agent as the cluster has it.
type Found struct {
	Namespace, Name string
	UID             types.UID
	// Generation counts the changes of the spec.
	Generation      int64
	ResourceVersion string
	// Agent is nil where the resource has Mistakes.
	Agent    *manifest.Agent
	Mistakes mistake.Mistakes
	// Spec is the agent's spec as written, to be stored as LastGood later.
	Spec map[string]any
	// LastGood is the agent of the last accepted spec, from the status, while a later spec is not
	// accepted. It is nil where there is none, or where it can't be read.
	LastGood     *manifest.Agent
	LastGoodSpec map[string]any
	// Shown is the status that the cluster shows.
	Shown manifest.Status
}

// NamespacedName identifies the agent for Report.
func (f Found) NamespacedName() types.NamespacedName {
	return types.NamespacedName{Namespace: f.Namespace, Name: f.Name}
}

// Source watches agents and writes their status. It is safe for concurrent use.
type Source struct {
	api    dynamic.ResourceInterface
	labels string
	log    hclog.Logger
	store  *store
	writer *writer

	mu   sync.Mutex
	last error // of the last list or watch
}

// New makes a Source, which sends no request before Run.
func New(o Options) *Source {
	if o.Log == nil {
		o.Log = hclog.NewNullLogger()
	}
	if o.Clock == nil {
		o.Clock = engine.WallClock{}
	}
	group := o.Client.Dynamic.Resource(agents)
	s := &Source{api: group, labels: o.Selector, log: o.Log, store: newStore(o.Kinds)}
	if o.Namespace != "" {
		s.api = group.Namespace(o.Namespace)
	}
	s.writer = newWriter(group, s.store, o.Clock, o.Log)
	if o.Event != nil {
		s.writer.event = o.Event
	}
	return s
}

var agents = func() schema.GroupVersionResource {
	gv, _ := schema.ParseGroupVersion(manifest.APIVersion) // a constant
	return gv.WithResource(manifest.Plural)
}()

// reconnect spaces out the requests while the API server is unreachable or lacks the kind.
var reconnect = wait.Backoff{Duration: 500 * time.Millisecond, Factor: 2, Jitter: 0.1, Steps: 6, Cap: 10 * time.Second}

// Run watches the agents and writes reported statuses until ctx ends. It retries all failures.
func (s *Source) Run(ctx context.Context) {
	var tasks sync.WaitGroup
	defer tasks.Wait()
	tasks.Go(func() { s.writer.run(ctx) })
	quiet := klog.Logger{} // noteResult logs failures
	backoff := reconnect
	cache.NewReflectorWithOptions(s.listWatch(), &unstructured.Unstructured{}, s.store, cache.ReflectorOptions{
		Name: "agents", Backoff: &backoff, Logger: &quiet,
	}).RunWithContext(ctx)
}

func (s *Source) listWatch() *cache.ListWatch {
	return &cache.ListWatch{
		ListWithContextFunc: func(ctx context.Context, o metav1.ListOptions) (runtime.Object, error) {
			o.LabelSelector = s.labels
			list, err := s.api.List(ctx, o)
			return list, s.noteResult(ctx, err)
		},
		WatchFuncWithContext: func(ctx context.Context, o metav1.ListOptions) (watch.Interface, error) {
			o.LabelSelector = s.labels
			stream, err := s.api.Watch(ctx, o)
			return stream, s.noteResult(ctx, err)
		},
	}
}

// noteResult stores the result of a list or watch, and logs it when it has changed.
func (s *Source) noteResult(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return err
	}
	cause := err
	if apierrors.IsNotFound(err) {
		cause = &apiclient.MissingKindError{APIVersion: manifest.APIVersion, Kind: manifest.Kind}
	}
	s.mu.Lock()
	before := s.last
	s.last = cause
	s.mu.Unlock()
	switch {
	case cause == nil && before != nil:
		s.log.Info("agents are watched again")
	case cause != nil && (before == nil || before.Error() != cause.Error()):
		s.log.Warn("agents can't be watched; trying again", "error", cause)
	}
	return err // the reflector handles the API server's own error
}

// Synced waits until the agents are listed. The error, once ctx has ended, says why they are
// not: *apiclient.MissingKindError where the custom resource definition is not installed.
func (s *Source) Synced(ctx context.Context) error {
	select {
	case <-s.store.synced:
		return nil
	case <-ctx.Done():
		s.mu.Lock()
		defer s.mu.Unlock()
		return fmt.Errorf("list the agents of the cluster: %w", cmp.Or(s.last, ctx.Err()))
	}
}

// Fault says why the agents are not known at the moment; nil while they are watched.
func (s *Source) Fault() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.last != nil {
		return fmt.Errorf("list the agents of the cluster: %w", s.last)
	}
	select {
	case <-s.store.synced:
		return nil
	default:
		return errors.New("the agents of the cluster are not listed yet")
	}
}

// Changed receives after agents appeared, disappeared, or changed in spec or labels. Several
// changes may be one signal. A change of status sends none.
func (s *Source) Changed() <-chan struct{} { return s.store.changed }

// Agents returns all agents by namespace and name; none before Synced.
func (s *Source) Agents() []Found { return s.store.all() }

// UID returns the UID of the agent with a namespace/name; "" where there is none.
func (s *Source) UID(agent string) types.UID {
	namespace, name, _ := strings.Cut(agent, "/")
	e, _ := s.store.get(types.NamespacedName{Namespace: namespace, Name: name})
	return e.found.UID
}

// Report sets the status of an agent. It is written soon, unless the next Report comes first or
// the cluster shows it already.
func (s *Source) Report(name types.NamespacedName, status Status) { s.writer.report(name, status) }

// Close writes each pending status once, without pause, until ctx ends, and ignores later
// Reports. The error says what could not be written. Call it after Run has returned.
func (s *Source) Close(ctx context.Context) error { return s.writer.close(ctx) }
