package workflowcontroller

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/util/workqueue"

	"github.com/scanflow-k8s/scanflow/actuators/local/orchestrator/workflow"
	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/kubernetes/apiclient"
)

// Options configure the controller.
type Options struct {
	Client *apiclient.Client
	// Namespace restricts the controller to the Workflows of a namespace; "" is all.
	Namespace string
	// Dir is the folder of the runs, created if necessary. No other process may use it.
	Dir string
	// Self is the executable for the command word "scanflow".
	Self string
	// Pods runs the steps as pods of the cluster. The nodes must share this machine's files,
	// as process-backed nodes do. Without Pods the steps are processes of this machine.
	Pods bool
	// KillWithParent makes the kernel kill the steps when this process dies (Linux). Without
	// it, the next controller with the same folder adopts them.
	KillWithParent bool
	// StopTimeout bounds the time that steps get to end after ctx has; the default is 10 s.
	StopTimeout time.Duration
	Log         hclog.Logger
	Clock       engine.Clock
}

const (
	defaultStopTimeout = 10 * time.Second
	// flushTimeout bounds the writing of the last statuses.
	flushTimeout = 5 * time.Second
	workers      = 4
)

var (
	workflows = schema.GroupVersionResource{Group: "argoproj.io", Version: "v1alpha1", Resource: "workflows"}
	templates = schema.GroupVersionResource{Group: "argoproj.io", Version: "v1alpha1", Resource: "workflowtemplates"}
)

func (o *Options) setDefaults() error {
	if o.StopTimeout == 0 {
		o.StopTimeout = defaultStopTimeout
	}
	if o.Clock == nil {
		o.Clock = engine.WallClock{}
	}
	if o.Log == nil {
		o.Log = hclog.NewNullLogger()
	}
	if o.Client == nil || o.Dir == "" {
		return errors.New("options of the stand-in for Argo: a client and a folder are needed")
	}
	var err error
	if o.Dir, err = filepath.Abs(o.Dir); err == nil { // steps may have another working directory
		err = os.MkdirAll(o.Dir, 0o700)
	}
	if err != nil {
		return fmt.Errorf("folder of the stand-in for Argo: %w", err)
	}
	return nil
}

// controller is the running stand-in.
type controller struct {
	Options
	runner      *workflow.Runner
	podLauncher *podLauncher // nil without Options.Pods
	store       cache.Store
	queue       workqueue.TypedRateLimitingInterface[string] // namespace/name

	mu           sync.Mutex
	written      map[string]string         // the last written status by key
	pendingSpecs map[string]map[string]any // the specifications to store in the status by key, until written
}

// Run runs workflows until ctx ends. Then it stops the active ones, writes their last
// statuses, and returns. The CRD of Workflow may be installed later.
func Run(ctx context.Context, o Options) error {
	if err := o.setDefaults(); err != nil {
		return err
	}
	c := &controller{Options: o, written: map[string]string{}, pendingSpecs: map[string]map[string]any{}}
	writeCtx, cancelWrites := context.WithCancel(context.WithoutCancel(ctx)) // outlives ctx, for the last statuses
	defer cancelWrites()
	c.queue = workqueue.NewTypedRateLimitingQueue(workqueue.NewTypedItemExponentialFailureRateLimiter[string](50*time.Millisecond, 5*time.Second))
	var launcher workflow.Launcher
	var err error
	if o.Pods {
		if c.podLauncher, err = newPodLauncher(writeCtx, o); err != nil {
			return fmt.Errorf("stand-in for Argo: %w", err)
		}
		launcher = c.podLauncher
	}
	c.runner, err = workflow.New(workflow.Options{
		Launcher: launcher, Dir: o.Dir, Self: o.Self, KillWithParent: o.KillWithParent, Clock: o.Clock, Log: o.Log,
		OnChange: func(r workflow.Run) { c.queue.Add(r.Namespace + "/" + r.Name) },
	})
	if err != nil {
		c.queue.ShutDown()
		return fmt.Errorf("stand-in for Argo: %w", err)
	}
	if err := c.run(ctx, writeCtx, cancelWrites); err != nil {
		return fmt.Errorf("stand-in for Argo: %w", err)
	}
	return nil
}

func (c *controller) run(ctx, writeCtx context.Context, cancelWrites context.CancelFunc) error {
	var informers, workerGroup sync.WaitGroup
	defer informers.Wait()
	defer cancelWrites()
	synced := []cache.InformerSynced{c.watch(writeCtx, &informers)}
	if c.podLauncher != nil {
		synced = append(synced, c.podLauncher.watch(writeCtx, &informers))
		defer c.podLauncher.group.Wait()
		defer cancelWrites()
	}
	ready := cache.WaitForCacheSync(ctx.Done(), synced...)
	c.runner.Start()
	if ready {
		for _, r := range c.runner.Runs() { // their Workflows may have been deleted
			c.queue.Add(r.Namespace + "/" + r.Name)
		}
		for range workers {
			workerGroup.Go(func() { c.work(writeCtx) })
		}
		c.Log.Info("workflows are run", "folder", c.Dir)
	}
	<-ctx.Done()

	closeCtx, cancel := context.WithTimeout(writeCtx, c.StopTimeout)
	defer cancel()
	err := c.runner.Close(closeCtx, workflow.StopAll)
	c.queue.ShutDown() // the workers process the remaining keys
	written := make(chan struct{})
	go func() { defer close(written); workerGroup.Wait() }()
	timer, stopTimer := c.Clock.Timer(flushTimeout)
	defer stopTimer()
	select {
	case <-written:
	case <-timer:
		err = errors.Join(err, errors.New("the last statuses could not all be written"))
		cancelWrites()
		<-written
	}
	return err
}

// watch starts the informer of Workflows.
func (c *controller) watch(ctx context.Context, group *sync.WaitGroup) cache.InformerSynced {
	objects := c.Client.Dynamic.Resource(workflows).Namespace(c.Namespace)
	add := func(o any) {
		if key, err := cache.DeletionHandlingMetaNamespaceKeyFunc(o); err == nil {
			c.queue.Add(key)
		}
	}
	store, informer := cache.NewInformerWithOptions(cache.InformerOptions{
		ListerWatcher: &cache.ListWatch{
			ListWithContextFunc: func(ctx context.Context, o metav1.ListOptions) (runtime.Object, error) { return objects.List(ctx, o) },
			WatchFuncWithContext: func(ctx context.Context, o metav1.ListOptions) (watch.Interface, error) {
				return objects.Watch(ctx, o)
			},
		},
		ObjectType: &unstructured.Unstructured{},
		Handler:    cache.ResourceEventHandlerFuncs{AddFunc: add, UpdateFunc: func(_, o any) { add(o) }, DeleteFunc: add},
	})
	c.store = store
	group.Go(func() { informer.RunWithContext(ctx) })
	return informer.HasSynced
}

// work reconciles keys from the queue, and retries the failed ones.
func (c *controller) work(ctx context.Context) {
	for {
		key, ended := c.queue.Get()
		if ended {
			return
		}
		if err := c.reconcile(ctx, key); err != nil {
			c.Log.Warn("can't reconcile a workflow; retrying", "workflow", key, "error", err)
			c.queue.AddRateLimited(key)
		} else {
			c.queue.Forget(key)
		}
		c.queue.Done(key)
	}
}
