package processnode

import (
	"context"
	"errors"
	"fmt"
	"sync"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/types"
	coordinationv1client "k8s.io/client-go/kubernetes/typed/coordination/v1"
	corev1client "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/tools/cache"
)

// node is a running node.
type node struct {
	Options
	core      *corev1client.CoreV1Client
	leases    coordinationv1client.LeaseInterface
	addresses *addressPool

	pods sync.WaitGroup // the runners' goroutines

	mu       sync.Mutex
	runners  map[types.UID]*podRunner
	draining context.Context // ends when the node starts to shut down
	killCtx  context.Context // ends when StopTimeout has passed; bounds all waits and requests
}

// Run runs the node until ctx ends. Then it stops the pods, reports them Failed, so that
// they are replaced, and reports itself not ready. It returns an error if it can't start,
// or if pods had to be killed.
func Run(ctx context.Context, o Options) error {
	if err := o.setDefaults(); err != nil {
		return err
	}
	n, err := newNode(ctx, o)
	if err != nil {
		return fmt.Errorf("node %s: %w", o.Name, err)
	}
	defer func() { _ = n.addresses.listener.Close() }()
	if err := n.run(ctx); err != nil {
		return fmt.Errorf("node %s: %w", o.Name, err)
	}
	return nil
}

func newNode(ctx context.Context, o Options) (*node, error) {
	n := &node{Options: o, runners: map[types.UID]*podRunner{}}
	var err error
	if n.core, err = corev1client.NewForConfig(o.Client.Config); err != nil {
		return nil, err
	}
	coordination, err := coordinationv1client.NewForConfig(o.Client.Config)
	if err != nil {
		return nil, err
	}
	n.leases = coordination.Leases(corev1.NamespaceNodeLease)
	n.addresses, err = claimPool(ctx, o.AddressBase, o.Name)
	return n, err
}

func (n *node) run(ctx context.Context) error {
	killCtx, kill := context.WithCancel(context.WithoutCancel(ctx))
	defer kill()
	n.draining, n.killCtx = ctx, killCtx

	var group sync.WaitGroup
	server, err := n.serveLogs(&group)
	if err != nil {
		return err
	}
	defer group.Wait()
	defer func() { _ = server.Close() }()
	if err := n.register(ctx); err != nil {
		return err
	}
	n.Log.Info("node is ready", "node", n.Name, "addresses", n.addresses.block.String(), "dir", n.Dir)
	group.Go(func() { n.heartbeat(ctx) })
	informCtx, stopInformer := context.WithCancel(killCtx) // outlives ctx, to learn of deleted pods
	defer stopInformer()
	group.Go(func() { n.watchPods(informCtx) })

	<-ctx.Done()
	return n.drain(kill)
}

// drain stops every pod with its grace period, and kills the rest after StopTimeout.
func (n *node) drain(kill context.CancelFunc) error {
	n.Log.Info("node stops", "node", n.Name)
	err := n.setReady(n.killCtx, false)
	n.mu.Lock()
	for _, r := range n.runners {
		r.wakeUp()
	}
	n.mu.Unlock()
	done := make(chan struct{})
	go func() { defer close(done); n.pods.Wait() }()
	timer, stopTimer := n.Clock.Timer(n.StopTimeout)
	defer stopTimer()
	select {
	case <-done:
		return err
	case <-timer:
	}
	kill()
	<-done
	return errors.Join(err, fmt.Errorf("pods did not end within %s, and were killed", n.StopTimeout))
}

// watchPods watches the pods that are bound to this node.
func (n *node) watchPods(ctx context.Context) {
	_, controller := cache.NewInformerWithOptions(cache.InformerOptions{
		ListerWatcher: cache.NewListWatchFromClient(n.core.RESTClient(), "pods", corev1.NamespaceAll, fields.OneTermEqualSelector("spec.nodeName", n.Name)),
		ObjectType:    &corev1.Pod{},
		Handler: cache.ResourceEventHandlerFuncs{
			AddFunc:    func(o any) { n.onPod(o.(*corev1.Pod)) },
			UpdateFunc: func(_, o any) { n.onPod(o.(*corev1.Pod)) },
			DeleteFunc: func(o any) {
				if last, ok := o.(cache.DeletedFinalStateUnknown); ok {
					o = last.Obj
				}
				if p, ok := o.(*corev1.Pod); ok {
					n.onPodDeleted(p.UID)
				}
			},
		},
	})
	controller.RunWithContext(ctx)
}

// onPod passes a pod's newest object to its runner, and creates the runner of a new pod.
func (n *node) onPod(p *corev1.Pod) {
	n.mu.Lock()
	defer n.mu.Unlock()
	r := n.runners[p.UID]
	if r == nil {
		ended := p.Status.Phase == corev1.PodSucceeded || p.Status.Phase == corev1.PodFailed
		if n.draining.Err() != nil || ended && p.DeletionTimestamp == nil {
			return
		}
		r = newPodRunner(n, p)
		n.runners[p.UID] = r
		n.pods.Go(func() {
			defer n.removeRunner(p.UID)
			r.run()
		})
	}
	r.setObject(p)
}

func (n *node) onPodDeleted(uid types.UID) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if r := n.runners[uid]; r != nil {
		r.markDeleted()
	}
}

func (n *node) removeRunner(uid types.UID) {
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.runners, uid)
}
