package clusterview

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/backoff"
	"github.com/scanflow-k8s/scanflow/engine/kubernetes/apiclient"
	"github.com/scanflow-k8s/scanflow/engine/kubernetes/fieldpath"
)

const (
	reconnectFirst = 100 * time.Millisecond
	reconnectMost  = 5 * time.Second
	// missingKindRetry is short because apiclient.Kinds caches its answer: discovery runs
	// at most every 10 s.
	missingKindRetry = time.Second
	// optionalKindRetry is what the retries slow down to for a kind that a cluster need not
	// have. Discovery costs two requests each time.
	optionalKindRetry = time.Minute
	// removedKindRetry is for a kind that discovery lists and whose resource is not found.
	removedKindRetry = 10 * time.Second
)

// informerKey identifies an informer. Users of an equal key share one.
type informerKey struct {
	apiVersion, kind string
	namespace        string // "" is all
	name             string // "" is all
	labels           string // a label selector that the API server applies; "" is all
	field            string // cache only this field; "" caches what a workload needs
	known            bool   // of the field, only what the kind's Go type has is needed
	pods             bool   // cache pods instead of objects
	optional         bool   // a missing kind means that there are no objects, and is not logged
}

// workloads reports whether fleets can share the informer.
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
//	     ^  missing: retry                   \      |          |
//	     |                                    \     v          v  closed, or expired
//	     +------------ the kind is gone -------- failed: retry with back-off
//
// It keeps its objects while the API server is unreachable; silentSince says since when.
type informer struct {
	view  *View
	key   informerKey
	users int // guarded by view.mu
	stop  context.CancelFunc
	keep  context.CancelFunc // ends the wait for the end of an informer without users
	// untyped is set once the API server has refused to send the kind as protobuf.
	untyped atomic.Bool

	objects *store[*cachedObject]
	pods    *store[*cachedPod]
	index   *podIndex

	mu          sync.Mutex
	mapping     *meta.RESTMapping
	paths       scalePaths
	synced      bool
	silentSince time.Time     // when the first request after the last answer was sent; zero is none
	lastErr     error         // of the last request; nil until it is answered
	unwatched   error         // the right to watch is missing: the objects are listed again and again
	changed     chan struct{} // closed and replaced when ready should look again
	podsOf      *informer     // the pods of these objects; guarded by view.mu

	autoscalers []*autoscalerIndex // of these objects; guarded by view.mu
}

func newInformer(v *View, key informerKey) *informer {
	inf := &informer{view: v, key: key, changed: make(chan struct{})}
	if key.pods {
		inf.index = newPodIndex()
		inf.pods = &store[*cachedPod]{
			convert: func(u decodedObject) *cachedPod { return newCachedPod(u, &v.intern) },
			index:   inf.index.update, listed: inf.listed,
		}
		return inf
	}
	inf.objects = &store[*cachedObject]{listed: inf.listed}
	return inf
}

// run follows the objects until ctx ends.
func (inf *informer) run(ctx context.Context) {
	reconnect := backoff.Exponential{First: reconnectFirst, Most: reconnectMost}
	missing := backoff.Exponential{First: missingKindRetry, Most: missingKindRetry}
	if inf.key.optional {
		missing.Most = optionalKindRetry
	}
	attempts, missed := 1, 0 // in a row; attempts has the coming one
	for ctx.Err() == nil {
		began := inf.view.clock.Now()
		found, err := inf.follow(ctx)
		if ctx.Err() != nil {
			return
		}
		if err != nil {
			inf.requestFailed(err)
		}
		if attempts++; inf.view.clock.Now().Sub(began) > reconnectMost {
			attempts = 1
		}
		wait := reconnect.After(attempts)
		switch {
		case apiclient.Missing(err) && found:
			attempts, wait = 0, removedKindRetry
		case apiclient.Missing(err):
			missed++
			attempts, wait = 0, missing.After(missed)
		default:
			missed = 0
		}
		engine.Sleep(ctx, inf.view.clock, wait)
	}
}

// follow finds the kind and follows its objects until that fails.
func (inf *informer) follow(ctx context.Context) (found bool, err error) {
	inf.requestSent()
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
		s := &converter{paths: paths, intern: &inf.view.intern}
		if inf.key.field != "" {
			if s.field, err = fieldpath.Parse(inf.key.field); err != nil {
				return true, err
			}
		}
		inf.objects.convert = s.convert
	}
	return true, inf.reflect(ctx, mapping)
}

// kind returns the resource of the informer's kind, and where its objects have replicas.
func (inf *informer) kind() (*meta.RESTMapping, scalePaths) {
	inf.mu.Lock()
	defer inf.mu.Unlock()
	return inf.mapping, inf.paths
}

// listOptions adds the informer's selectors to the options of a request.
func (inf *informer) listOptions(o metav1.ListOptions) metav1.ListOptions {
	o.LabelSelector = inf.key.labels
	if inf.key.name != "" {
		o.FieldSelector = "metadata.name=" + inf.key.name
	}
	return o
}

// byScope sorts informers of one namespace before those of all namespaces.
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
