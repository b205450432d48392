package workflowcontroller

import (
	"context"
	"errors"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	corev1client "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/tools/cache"

	"github.com/scanflow-k8s/scanflow/actuators/local/orchestrator/pod"
	"github.com/scanflow-k8s/scanflow/actuators/local/orchestrator/workflow"
)

// podLauncher runs the steps of workflows as pods of the cluster, with the names, labels
// and owners of Argo's controller.
type podLauncher struct {
	Options
	core *corev1client.CoreV1Client
	ctx  context.Context // of all requests

	mu       sync.Mutex
	stepPods map[types.NamespacedName]*stepPod
	group    sync.WaitGroup
}

var _ workflow.Launcher = (*podLauncher)(nil)

// Argo Workflows' annotations of a step's pod.
const (
	nodeIDAnnotation   = "workflows.argoproj.io/node-id"
	nodeNameAnnotation = "workflows.argoproj.io/node-name"
)

func newPodLauncher(ctx context.Context, o Options) (*podLauncher, error) {
	core, err := corev1client.NewForConfig(o.Client.Config)
	if err != nil {
		return nil, err
	}
	return &podLauncher{Options: o, core: core, ctx: ctx, stepPods: map[types.NamespacedName]*stepPod{}}, nil
}

// Start creates the pod of a step, and watches it in the background.
func (c *podLauncher) Start(t workflow.StepProcess, report func(s pod.Status, node string)) (workflow.Process, error) {
	p := newStepPod(c, t, report)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.stepPods[p.name()] = p
	c.group.Go(func() {
		p.run()
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.stepPods[p.name()] == p {
			delete(c.stepPods, p.name())
		}
	})
	return p, nil
}

// watch starts the informer that passes pods to their stepPods.
func (c *podLauncher) watch(ctx context.Context, group *sync.WaitGroup) cache.InformerSynced {
	labelled := func(o *metav1.ListOptions) { o.LabelSelector = workflow.RunLabel }
	onPod := func(o any, deleted bool) {
		if last, ok := o.(cache.DeletedFinalStateUnknown); ok {
			o = last.Obj
		}
		object, ok := o.(*corev1.Pod)
		if !ok {
			return
		}
		c.mu.Lock()
		p := c.stepPods[types.NamespacedName{Namespace: object.Namespace, Name: object.Name}]
		c.mu.Unlock()
		if p != nil {
			p.onPod(object, deleted)
		}
	}
	_, informer := cache.NewInformerWithOptions(cache.InformerOptions{
		ListerWatcher: cache.NewFilteredListWatchFromClient(c.core.RESTClient(), "pods", c.Namespace, labelled),
		ObjectType:    &corev1.Pod{},
		Handler: cache.ResourceEventHandlerFuncs{
			AddFunc: func(o any) { onPod(o, false) }, UpdateFunc: func(_, o any) { onPod(o, false) }, DeleteFunc: func(o any) { onPod(o, true) },
		},
	})
	group.Go(func() { informer.RunWithContext(ctx) })
	return informer.HasSynced
}

// statusOfPod converts the status of a pod.
func statusOfPod(p *corev1.Pod) pod.Status {
	s := pod.Status{Phase: p.Status.Phase, Message: p.Status.Message}
	switch p.Status.Phase {
	case corev1.PodPending:
		s.Message = pendingReason(p)
	case corev1.PodSucceeded, corev1.PodFailed:
		for _, c := range p.Status.ContainerStatuses {
			if t := c.State.Terminated; t != nil {
				s.LastExit = &pod.Exit{Code: int(t.ExitCode), At: t.FinishedAt.Time}
			}
		}
	}
	return s
}

// pendingReason returns why a pod is pending, in the format of Argo.
func pendingReason(p *corev1.Pod) string {
	for _, c := range p.Status.ContainerStatuses {
		if w := c.State.Waiting; w != nil && w.Message != "" {
			return w.Reason + ": " + w.Message
		}
	}
	for _, c := range p.Status.Conditions {
		if c.Reason == corev1.PodReasonUnschedulable {
			return c.Reason + ": " + c.Message
		}
	}
	return "its pod waits to be run"
}

// errStopping is returned if the run is stopped before the pod was created.
var errStopping = errors.New("its run is being ended")

// retryInterval is the wait before the creation of a pod is retried.
const retryInterval = 200 * time.Millisecond
