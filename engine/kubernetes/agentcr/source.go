package agentcr

import (
	"context"
	"fmt"
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

// Options say which agents are watched.
type Options struct {
	Client *apiclient.Client
	// Namespace is the one that is watched; "" is every namespace.
	Namespace string
	// Selector is which agents, by their labels; "" is all.
	Selector string
	Kinds    manifest.Kinds
	Log      hclog.Logger // nil is nowhere
	Clock    engine.Clock // nil is the machine's own
}

// Found is an agent as the cluster has it now.
type Found struct {
	Namespace, Name string
	UID             types.UID
	// Generation counts the changes of the spec.
	Generation      int64
	ResourceVersion string
	// Agent is nil where the resource can't be read; Mistakes say why.
	Agent    *manifest.Agent
	Mistakes mistake.Mistakes
	// Spec is the agent's spec as it was written, to be shown as LastGood later.
	Spec map[string]any
	// LastGood is the agent as the status keeps it: of the last spec that was accepted,
	// while a later one is not. Nil where it keeps none, or none that can be read.
	LastGood     *manifest.Agent
	LastGoodSpec map[string]any
}

// NamespacedName is the name that Report takes.
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
	last error // of the last request for the agents, nil once they are watched
}

// New makes a Source that asks nothing before Run.
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
	return s
}

var agents = func() schema.GroupVersionResource {
	gv, _ := schema.ParseGroupVersion(manifest.APIVersion) // a constant
	return gv.WithResource(manifest.Plural)
}()

// again is how soon the agents are asked for anew when the API server is away, or
// doesn't know them.
var again = wait.Backoff{Duration: 500 * time.Millisecond, Factor: 2, Jitter: 0.1, Steps: 6, Cap: 10 * time.Second}

// Run watches until ctx ends, and writes the status reported meanwhile. What can't be
// reached is tried again; nothing ends it but ctx.
func (s *Source) Run(ctx context.Context) {
	var tasks sync.WaitGroup
	defer tasks.Wait()
	tasks.Go(func() { s.writer.run(ctx) })
	quiet := klog.Logger{} // asked tells of failures, by our own log
	backoff := again
	cache.NewReflectorWithOptions(s.listWatch(), &unstructured.Unstructured{}, s.store, cache.ReflectorOptions{
		Name: "agents", Backoff: &backoff, Logger: &quiet,
	}).RunWithContext(ctx)
}

func (s *Source) listWatch() *cache.ListWatch {
	return &cache.ListWatch{
		ListWithContextFunc: func(ctx context.Context, o metav1.ListOptions) (runtime.Object, error) {
			o.LabelSelector = s.labels
			list, err := s.api.List(ctx, o)
			return list, s.asked(ctx, err)
		},
		WatchFuncWithContext: func(ctx context.Context, o metav1.ListOptions) (watch.Interface, error) {
			o.LabelSelector = s.labels
			stream, err := s.api.Watch(ctx, o)
			return stream, s.asked(ctx, err)
		},
	}
}

// asked keeps what the last request said, and logs it when it is news.
func (s *Source) asked(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return err
	}
	told := err
	if apierrors.IsNotFound(err) {
		told = &apiclient.MissingKindError{APIVersion: manifest.APIVersion, Kind: manifest.Kind}
	}
	s.mu.Lock()
	before := s.last
	s.last = told
	s.mu.Unlock()
	switch {
	case told == nil && before != nil:
		s.log.Info("agents are watched again")
	case told != nil && (before == nil || before.Error() != told.Error()):
		s.log.Warn("agents can't be watched; trying again", "error", told)
	}
	return err // the reflector knows what to do with the API server's own
}

// Synced waits until the agents are known. The error, once ctx has ended, is why they
// are not: a *apiclient.MissingKindError where the custom resource isn't installed.
func (s *Source) Synced(ctx context.Context) error {
	select {
	case <-s.store.synced:
		return nil
	case <-ctx.Done():
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.last != nil {
			return fmt.Errorf("list the agents of the cluster: %w", s.last)
		}
		return fmt.Errorf("list the agents of the cluster: %w", ctx.Err())
	}
}

// Changed receives when agents came, went, or changed in spec or labels; several
// changes may be one. A change of status is none.
func (s *Source) Changed() <-chan struct{} { return s.store.changed }

// Agents are all that the cluster has now, by namespace and name; none before Synced.
func (s *Source) Agents() []Found { return s.store.all() }

// Report says what is true of an agent. It is written soon, unless another Report
// comes first or the cluster shows it already.
func (s *Source) Report(name types.NamespacedName, status Status) { s.writer.report(name, status) }

// Close writes what is still to be written, once, without pause, until ctx ends, and
// takes no Report any more. The error is of what could not be written. Call it when
// Run has returned.
func (s *Source) Close(ctx context.Context) error { return s.writer.close(ctx) }
