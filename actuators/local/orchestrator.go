package local

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"

	batchv1 "k8s.io/api/batch/v1"

	"github.com/scanflow-k8s/scanflow/actuators/local/orchestrator/pod"
	"github.com/scanflow-k8s/scanflow/actuators/local/orchestrator/router"
	"github.com/scanflow-k8s/scanflow/actuators/local/orchestrator/workflow"
	"github.com/scanflow-k8s/scanflow/engine"
)

// Orchestrator runs workloads as processes. New starts it, Apply tells it what to
// run, Close ends it.
//
// mu guards what is wanted and what is known of the pods. One goroutine (loop)
// reconciles the two; each pod reports from its own goroutine through observe; each
// pod on its way out has a goroutine (finish) that waits for its requests and stops
// it. None of them waits for another while it holds mu.
type Orchestrator struct {
	// Publish tells the agents of this process of an event: a workflow's end. It is set
	// before any agent runs; nil tells nobody.
	Publish func(context.Context, engine.Event) error

	opts      Options
	store     *store
	router    *router.Router
	ports     *pod.PortAllocator
	workflows *workflow.Runner

	ctx    context.Context // ends when Close begins
	cancel context.CancelFunc
	kick   chan struct{}
	work   sync.WaitGroup // loop and the finish goroutines
	apply  sync.Mutex     // one Apply or actuator's write at a time

	mu        sync.Mutex
	closed    bool
	applied   bool     // the first Apply adopts
	recovered []record // until then
	deploys   map[key]*deployment
	routes    map[key]*route
	replicas  map[key]*replica
	templates map[key]*workflow.Template
	cronJobs  map[key]*batchv1.CronJob
	// placements are the wishes for WorkflowTemplates and CronJobs.
	placements map[objectID]*placeWish
	steps      map[string]placement // of workflows, by UID
	rnd        *rand.Rand
	serial     int
	changed    chan struct{}
}

// Ending says what becomes of the pods when the orchestrator is closed.
type Ending int

const (
	// Detach leaves the pods and the workflows' steps running, to be adopted by the next
	// orchestrator.
	Detach = Ending(workflow.Detach)
	// StopAll ends every pod and workflow, gently, and waits for it.
	StopAll = Ending(workflow.StopAll)
)

// ErrClosed says that the orchestrator was closed.
var ErrClosed = errors.New("the local orchestrator is closed")

// New opens the state folder. Pods recorded there are adopted by the first Apply.
func New(opts Options) (*Orchestrator, error) {
	opts.setDefaults()
	if err := checkNodes(opts.Nodes); err != nil {
		return nil, fmt.Errorf("start the local orchestrator: %w", err)
	}
	st, err := openStore(opts.StateDir)
	if err != nil {
		return nil, fmt.Errorf("start the local orchestrator: %w", err)
	}
	records, err := st.loadPods()
	if err != nil {
		opts.Log.Error("some pod records can't be read and were set aside", "error", err)
	}
	if err := st.pruneLogs(records, opts.Clock.Now().Add(-keepLogs)); err != nil {
		opts.Log.Warn("old pod logs can't be removed", "error", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	o := &Orchestrator{
		opts: opts, store: st, router: router.New(router.Options{RandomPorts: opts.RandomPorts, Log: opts.Log}), ports: &pod.PortAllocator{},
		ctx: ctx, cancel: cancel, kick: make(chan struct{}, 1),
		recovered: records, deploys: map[key]*deployment{}, routes: map[key]*route{}, replicas: map[key]*replica{}, steps: map[string]placement{},
		rnd: rand.New(rand.NewPCG(opts.Seed, 0)), changed: make(chan struct{}),
	}
	for _, r := range records {
		o.serial = max(o.serial, r.Serial)
	}
	o.workflows, err = workflow.New(workflow.Options{
		Dir: WorkflowsDir(st.dir), Self: opts.Self, KillWithParent: opts.KillWithParent, Place: nodes{o}, Clock: opts.Clock, Log: opts.Log,
	})
	if err != nil {
		cancel()
		return nil, errors.Join(fmt.Errorf("start the local orchestrator: %w", err), st.close())
	}
	o.workflows.Start()
	o.work.Go(o.loop)
	return o, nil
}

// Close ends the orchestrator and waits for everything that it started: routes are
// closed once the requests on them are answered, pods are let go or ended. When
// ctx ends first, requests are cut and pods killed at once. Closing twice is fine.
func (o *Orchestrator) Close(ctx context.Context, how Ending) error {
	if !o.beginClose() {
		return nil
	}
	err := o.router.Close(ctx)

	o.mu.Lock()
	recovered := o.recovered // those that no Apply has adopted
	o.recovered = nil
	o.mu.Unlock()
	if how == StopAll {
		o.adopt(recovered)
	}
	o.mu.Lock()
	var all []*replica
	for _, r := range o.replicas {
		if r.pod != nil {
			all = append(all, r)
		}
	}
	o.mu.Unlock()
	var ends sync.WaitGroup
	var runs error
	ends.Go(func() { runs = o.workflows.Close(ctx, workflow.CloseMode(how)) })
	for _, r := range all {
		ends.Go(func() {
			if how == Detach {
				r.pod.Detach()
			} else {
				o.stopPod(ctx, r)
			}
		})
	}
	ends.Wait()
	o.work.Wait()
	o.notify()
	return errors.Join(err, runs, o.store.close())
}

// beginClose lets an Apply under way end, and no other begin; false if another
// Close was first.
func (o *Orchestrator) beginClose() bool {
	o.apply.Lock()
	defer o.apply.Unlock()
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closed {
		return false
	}
	o.closed = true
	o.cancel()
	return true
}

// stopPod ends a pod and forgets it.
func (o *Orchestrator) stopPod(ctx context.Context, r *replica) {
	if err := r.pod.Stop(ctx); errors.Is(err, pod.ErrDetached) {
		return
	}
	if err := o.store.forgetPod(r.rec.key()); err != nil {
		o.opts.Log.Error("the record of a pod that ended stays behind", "pod", r.rec.Name, "error", err)
	}
}

// loop reconciles whenever it is kicked.
func (o *Orchestrator) loop() {
	for {
		select {
		case <-o.ctx.Done():
			return
		case <-o.kick:
			o.reconcile()
		}
	}
}

func (o *Orchestrator) wake() {
	select {
	case o.kick <- struct{}{}:
	default: // it will look at everything anyway
	}
}

// Changed returns a channel that is closed at the next change of any workload or pod.
func (o *Orchestrator) Changed() <-chan struct{} {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.changed
}

func (o *Orchestrator) notify() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.notifyLocked()
}

func (o *Orchestrator) notifyLocked() {
	close(o.changed)
	o.changed = make(chan struct{})
	o.workflows.Reschedule() // a step may wait for a node
}
