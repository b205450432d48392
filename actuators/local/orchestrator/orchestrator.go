package orchestrator

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"

	batchv1 "k8s.io/api/batch/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/scanflow-k8s/scanflow/actuators/local/orchestrator/pod"
	"github.com/scanflow-k8s/scanflow/actuators/local/orchestrator/router"
	"github.com/scanflow-k8s/scanflow/actuators/local/orchestrator/workflow"
)

// Orchestrator runs workloads as processes. New starts it, Apply sets its workloads, the
// setters in override.go and placement.go change them, Close ends it.
//
// mu guards the workloads and the pods. One goroutine (loop) reconciles the two. Each pod
// reports from its own goroutine through observe. Each terminating pod has a goroutine
// (finish) that waits for its requests and stops it. No goroutine waits for another while
// it holds mu.
type Orchestrator struct {
	opts      Options
	store     *store
	router    *router.Router
	ports     *pod.PortAllocator
	workflows *workflow.Runner

	ctx    context.Context // ends when Close begins
	cancel context.CancelFunc
	kick   chan struct{}  // wakes loop
	work   sync.WaitGroup // loop and the finish goroutines
	apply  sync.Mutex     // held by Apply and by each setter

	mu         sync.Mutex
	closed     bool
	applied    bool     // Apply has adopted the recovered pods
	recovered  []record // until the first Apply
	deploys    map[types.NamespacedName]*deployment
	routes     map[types.NamespacedName]*route
	replicas   map[types.NamespacedName]*replica
	templates  map[types.NamespacedName]*workflow.Template
	cronJobs   map[types.NamespacedName]*batchv1.CronJob
	placements map[ObjectID]*PlacementOverride // of WorkflowTemplates and CronJobs
	steps      map[string]podInfo              // of workflows, by UID
	rnd        *rand.Rand
	serial     int
	changed    chan struct{}
}

// Ending selects the treatment of the pods and the workflows' steps by Close.
type Ending int

const (
	// Detach leaves them running, to be adopted by the next orchestrator.
	Detach = Ending(workflow.Detach)
	// StopAll stops them within their grace periods, and waits until they have ended.
	StopAll = Ending(workflow.StopAll)
)

// ErrClosed is the error of a closed orchestrator.
var ErrClosed = errors.New("the local orchestrator is closed")

// New opens the state folder. The first Apply adopts the pods recorded there.
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
		recovered: records, deploys: map[types.NamespacedName]*deployment{}, routes: map[types.NamespacedName]*route{}, replicas: map[types.NamespacedName]*replica{}, steps: map[string]podInfo{}, placements: map[ObjectID]*PlacementOverride{},
		rnd: rand.New(rand.NewPCG(opts.Seed, 0)), changed: make(chan struct{}),
	}
	for _, r := range records {
		o.serial = max(o.serial, r.Serial)
	}
	o.workflows, err = workflow.New(workflow.Options{
		Dir: WorkflowsDir(st.dir), Self: opts.Self, KillWithParent: opts.KillWithParent, Place: stepPlacer{o}, Clock: opts.Clock, Log: opts.Log,
	})
	if err != nil {
		cancel()
		return nil, errors.Join(fmt.Errorf("start the local orchestrator: %w", err), st.close())
	}
	o.workflows.Start()
	o.work.Go(o.loop)
	return o, nil
}

// Close ends the orchestrator and waits for everything that it started: it closes the
// routes once their requests are answered, and detaches or stops the pods. When ctx ends
// first, it cuts the requests and kills the pods at once. Closing twice is fine.
func (o *Orchestrator) Close(ctx context.Context, how Ending) error {
	if !o.beginClose() {
		return nil
	}
	err := o.router.Close(ctx)

	o.mu.Lock()
	recovered := o.recovered // not yet adopted by an Apply
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

// beginClose waits for a running Apply, and refuses later ones. It reports whether this is
// the first Close.
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

// stopPod stops a pod and removes its record.
func (o *Orchestrator) stopPod(ctx context.Context, r *replica) {
	if err := r.pod.Stop(ctx); errors.Is(err, pod.ErrDetached) {
		return
	}
	if err := o.store.removePod(r.rec.key()); err != nil {
		o.opts.Log.Error("the record of a pod that ended stays behind", "pod", r.rec.Name, "error", err)
	}
}

// loop reconciles at each wake.
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
	default: // a reconcile is due already
	}
}

// Changed returns a channel that closes at the next change of a workload or a pod.
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
