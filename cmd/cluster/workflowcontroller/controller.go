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

// Options say whose workflows to run, and where.
type Options struct {
	Client *apiclient.Client
	// Namespace is the only one whose Workflows are run; "" is all.
	Namespace string
	// Dir is the folder of the runs, made if it isn't there. No other process may use it.
	Dir string
	// Self is the executable that the command word "scanflow" stands for.
	Self string
	// Pods has the steps run as pods of the cluster, on whichever of its nodes the scheduler
	// chooses; they must see this machine's files, as process-backed nodes do. Else they
	// are processes of this one, and are on no node.
	Pods bool
	// KillWithParent has the kernel end the steps when this process dies (Linux). Else
	// they are found again by the next one with the same folder.
	KillWithParent bool
	// StopWithin bounds the time that steps get to end when ctx does; 0 is 10 s.
	StopTimeout time.Duration
	Log         hclog.Logger
	Clock       engine.Clock
}

const (
	defaultStopTimeout = 10 * time.Second
	// flushWithin bounds the writing of the last statuses.
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

// controller is the stand-in under way.
type controller struct {
	Options
	runner      *workflow.Runner
	podLauncher *podLauncher // nil where steps are no pods
	store       cache.Store
	queue       workqueue.TypedRateLimitingInterface[string] // namespace/name

	mu           sync.Mutex
	written      map[string]string         // the status that an object has, by key
	pendingSpecs map[string]map[string]any // what is stored in it, by key, until it was written
}

// Run runs workflows until ctx ends. Then it ends those under way, writes what became
// of them, and returns. The definition of Workflow may be installed later.
func Run(ctx context.Context, o Options) error {
	if err := o.setDefaults(); err != nil {
		return err
	}
	c := &controller{Options: o, written: map[string]string{}, pendingSpecs: map[string]map[string]any{}}
	over, end := context.WithCancel(context.WithoutCancel(ctx)) // past ctx: the last statuses are written
	defer end()
	c.queue = workqueue.NewTypedRateLimitingQueue(workqueue.NewTypedItemExponentialFailureRateLimiter[string](50*time.Millisecond, 5*time.Second))
	var processes workflow.Launcher
	var err error
	if o.Pods {
		if c.podLauncher, err = newPodLauncher(over, o); err != nil {
			return fmt.Errorf("stand-in for Argo: %w", err)
		}
		processes = c.podLauncher
	}
	c.runner, err = workflow.New(workflow.Options{
		Launcher: processes, Dir: o.Dir, Self: o.Self, KillWithParent: o.KillWithParent, Clock: o.Clock, Log: o.Log,
		OnChange: func(r workflow.Run) { c.queue.Add(r.Namespace + "/" + r.Name) },
	})
	if err != nil {
		c.queue.ShutDown()
		return fmt.Errorf("stand-in for Argo: %w", err)
	}
	if err := c.run(ctx, over, end); err != nil {
		return fmt.Errorf("stand-in for Argo: %w", err)
	}
	return nil
}

func (c *controller) run(ctx, over context.Context, end context.CancelFunc) error {
	var informers, workerGroup sync.WaitGroup
	defer informers.Wait()
	defer end()
	synced := []cache.InformerSynced{c.watch(over, &informers)}
	if c.podLauncher != nil {
		synced = append(synced, c.podLauncher.watch(over, &informers))
		defer c.podLauncher.group.Wait()
		defer end()
	}
	known := cache.WaitForCacheSync(ctx.Done(), synced...)
	c.runner.Start()
	if known {
		for _, r := range c.runner.Runs() { // its Workflow may be gone
			c.queue.Add(r.Namespace + "/" + r.Name)
		}
		for range workers {
			workerGroup.Go(func() { c.work(over) })
		}
		c.Log.Info("workflows are run", "folder", c.Dir)
	}
	<-ctx.Done()

	closing, giveUp := context.WithTimeout(over, c.StopTimeout)
	defer giveUp()
	err := c.runner.Close(closing, workflow.StopAll)
	c.queue.ShutDown() // the workers go through what is in it
	written := make(chan struct{})
	go func() { defer close(written); workerGroup.Wait() }()
	timer, stopTimer := c.Clock.Timer(flushTimeout)
	defer stopTimer()
	select {
	case <-written:
	case <-timer:
		err = errors.Join(err, errors.New("the last statuses could not all be written"))
		end()
		<-written
	}
	return err
}

// watch follows the Workflows.
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

// work settles one object after another, and again what could not be settled.
func (c *controller) work(ctx context.Context) {
	for {
		key, ended := c.queue.Get()
		if ended {
			return
		}
		if err := c.reconcile(ctx, key); err != nil {
			c.Log.Warn("a workflow can't be settled yet", "workflow", key, "error", err)
			c.queue.AddRateLimited(key)
		} else {
			c.queue.Forget(key)
		}
		c.queue.Done(key)
	}
}
