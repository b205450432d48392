package kubernetes

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/backoff"
	"github.com/scanflow-k8s/scanflow/engine/kubernetes/apiclient"
)

const (
	reconnectFirst = 100 * time.Millisecond
	reconnectMost  = 5 * time.Second
	// lookAgain is how often a missing kind is asked for. apiclient.Kinds answers from
	// memory, and asks the API server itself every 10 s at most.
	lookAgain = time.Second
	// goneAgain is how often a resource is asked for that the API server did know.
	goneAgain = 10 * time.Second
)

// informerKey is what an informer follows. Agents that ask for the same share it.
type informerKey struct {
	apiVersion, kind string
	namespace        string // "" is all
	name             string // "" is all
	labels           string // a selector that the API server applies; "" is all
	field            string // keep just this field; "" keeps what a workload needs
	pods             bool   // keep what a pod's owner needs
	optional         bool   // a cluster without the kind is as good as one without objects of it
}

// workloads tells an informer that fleets share.
func (k informerKey) workloads() bool {
	return !k.pods && k.name == "" && k.labels == "" && k.field == ""
}

func (k informerKey) String() string {
	text := k.kind + " of " + k.apiVersion
	if k.name != "" {
		text += " " + k.name
	}
	if k.namespace != "" {
		text += " in the namespace " + k.namespace
	}
	return text
}

// informer follows the objects of one kind:
//
//	find the kind ----> read its definition ----> list ----> watch
//	     ^  missing: again each second       \      |          |
//	     |                                    \     v          v  closed, or expired
//	     +------------ the kind is gone -------- failed: again, ever later
//
// What it knows stays while it can't reach the API server; trouble says since when.
type informer struct {
	view  *View
	key   informerKey
	users int // guarded by view.mu
	stop  context.CancelFunc

	objects *store[*slim]
	pods    *store[*slimPod]
	index   *podIndex

	mu      sync.Mutex
	mapping *meta.RESTMapping
	paths   scalePaths
	synced  bool
	trouble time.Time // when the first request since the last answer was sent; zero is none
	problem error     // of the last one; nil while it has no answer
	changed chan struct{}
	podsOf  *informer // the pods of these objects; guarded by view.mu

	autoscalers []*scalers // of these objects; guarded by view.mu
}

func newInformer(v *View, key informerKey) *informer {
	inf := &informer{view: v, key: key, changed: make(chan struct{})}
	if key.pods {
		inf.index = newPodIndex()
		inf.pods = &store[*slimPod]{
			slim:  func(u *unstructured.Unstructured) *slimPod { return slimPodOf(u, &v.names) },
			index: inf.index.change, filled: inf.filled,
		}
		return inf
	}
	inf.objects = &store[*slim]{filled: inf.filled}
	return inf
}

// run follows the objects until ctx ends.
func (inf *informer) run(ctx context.Context) {
	reconnect := backoff.Exponential{First: reconnectFirst, Most: reconnectMost}
	attempts := 1 // in a row, with the coming one
	for ctx.Err() == nil {
		began := inf.view.clock.Now()
		found, err := inf.follow(ctx)
		if ctx.Err() != nil {
			return
		}
		if err != nil {
			inf.failed(err)
		}
		if attempts++; inf.view.clock.Now().Sub(began) > reconnectMost {
			attempts = 1
		}
		wait := reconnect.After(attempts)
		switch {
		case apiclient.Missing(err) && found:
			attempts, wait = 0, goneAgain
		case apiclient.Missing(err):
			attempts, wait = 0, lookAgain
		}
		inf.view.sleep(ctx, wait)
	}
}

// follow finds the kind, and follows its objects until that fails.
func (inf *informer) follow(ctx context.Context) (found bool, err error) {
	inf.asks()
	mapping, err := inf.view.client.Kinds.Find(inf.key.apiVersion, inf.key.kind)
	if err != nil {
		return false, err
	}
	clusterWide := mapping.Scope.Name() != meta.RESTScopeNameNamespace
	if clusterWide && inf.view.namespace != "" {
		return true, fmt.Errorf("%s is of the whole cluster, and this installation may see the namespace %s alone; install it cluster-wide, or name another kind", inf.key.kind, inf.view.namespace)
	}
	var paths scalePaths
	if inf.key.workloads() {
		if paths, err = scalePathsOf(ctx, inf.view.client.Dynamic, mapping); err != nil {
			return true, err
		}
	}
	inf.mu.Lock()
	inf.mapping, inf.paths = mapping, paths
	inf.mu.Unlock()
	if inf.objects != nil {
		s := &slimmer{paths: paths, names: &inf.view.names}
		if inf.key.field != "" {
			if s.field, err = parseFieldPath(inf.key.field); err != nil {
				return true, err
			}
		}
		inf.objects.slim = s.slim
	}
	return true, inf.reflect(ctx, mapping)
}

// asks is called before each request that shows whether the API server is there.
func (inf *informer) asks() {
	inf.mu.Lock()
	defer inf.mu.Unlock()
	if inf.trouble.IsZero() {
		inf.trouble = inf.view.clock.Now()
	}
}

// quiet tells whether nobody has to be told of a problem.
func (inf *informer) quiet(problem error) bool {
	return problem == nil || inf.key.optional && apiclient.Missing(problem)
}

func (inf *informer) failed(err error) {
	inf.mu.Lock()
	defer inf.mu.Unlock()
	if inf.quiet(inf.problem) && !inf.quiet(err) {
		inf.view.log.Warn("can't follow objects, and tries again", "objects", inf.key.String(), "error", err)
	}
	inf.problem = err
	inf.tell()
}

func (inf *informer) answered() {
	inf.mu.Lock()
	defer inf.mu.Unlock()
	if !inf.quiet(inf.problem) {
		inf.view.log.Info("follows objects again", "objects", inf.key.String())
	}
	inf.trouble, inf.problem = time.Time{}, nil
	inf.tell()
}

func (inf *informer) filled() {
	inf.mu.Lock()
	inf.synced = true
	inf.mu.Unlock()
	inf.answered()
}

func (inf *informer) tell() {
	close(inf.changed)
	inf.changed = make(chan struct{})
}

// ready waits for the first list. An error says why there is none, or since when
// nothing was heard of the objects.
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

// state is nil where the objects are known well enough. An error that is not final
// may pass while one waits.
func (inf *informer) state() (err error, final bool) {
	late := !inf.trouble.IsZero() && inf.view.clock.Now().Sub(inf.trouble) > inf.view.silence
	why := inf.problem
	if why == nil {
		why = errors.New("the API server does not answer")
	}
	switch {
	case apiclient.Missing(inf.problem):
		return inf.problem, true
	case !inf.synced:
		return fmt.Errorf("list %s: %w", inf.key, why), inf.problem != nil && !engine.MayPass(inf.problem)
	case late:
		return engine.Retry(fmt.Errorf("nothing was heard of %s since %s: %w", inf.key, inf.trouble.UTC().Format(time.RFC3339), why)), true
	}
	return nil, false
}

// healthy tells whether what is known may be shown.
func (inf *informer) healthy() bool {
	inf.mu.Lock()
	defer inf.mu.Unlock()
	err, _ := inf.state()
	return err == nil
}

// kindOf is the resource and where its objects keep their size.
func (inf *informer) kindOf() (*meta.RESTMapping, scalePaths) {
	inf.mu.Lock()
	defer inf.mu.Unlock()
	return inf.mapping, inf.paths
}

// narrow puts what the informer is for into a request.
func (inf *informer) narrow(o metav1.ListOptions) metav1.ListOptions {
	o.LabelSelector = inf.key.labels
	if inf.key.name != "" {
		o.FieldSelector = "metadata.name=" + inf.key.name
	}
	return o
}

// byScope puts those that see one namespace before those that see all.
func byScope(a, b *informer) int {
	if a.key.namespace != b.key.namespace { // "" is the whole cluster
		if a.key.namespace == "" {
			return 1
		}
		if b.key.namespace == "" {
			return -1
		}
	}
	return slices.Compare([]string{a.key.namespace, a.key.apiVersion}, []string{b.key.namespace, b.key.apiVersion})
}
