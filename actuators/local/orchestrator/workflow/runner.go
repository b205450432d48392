package workflow

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/scanflow-k8s/scanflow/actuators/local/orchestrator/statefile"
	"github.com/scanflow-k8s/scanflow/engine/filelock"
)

// Runner runs workflows. New opens its folder, Start resumes the active runs, Submit adds
// one, Close shuts down. Each run has a goroutine of its own.
type Runner struct {
	opts Options
	lock *filelock.Lock

	ctx        context.Context // ends when Close begins
	cancel     context.CancelFunc
	killCtx    context.Context // ends when the grace periods of steps are cut short
	cancelKill context.CancelFunc
	closeMode  CloseMode      // set before ctx ends
	work       sync.WaitGroup // the goroutines of the runs

	dirMu sync.Mutex // serializes creating and removing folders; locked before mu
	mu    sync.Mutex // never held during disk access
	runs  map[key]*run
}

type key struct{ namespace, name string }

func (k key) String() string { return k.namespace + "/" + k.name }

// CloseMode selects the treatment of active runs by Close.
type CloseMode int

const (
	// Detach leaves the steps running; the next Runner resumes the runs.
	Detach CloseMode = iota
	// StopAll stops every step and every run.
	StopAll
)

var (
	// ErrClosed is returned after Close.
	ErrClosed = errors.New("the workflow runner is closed")
	// ErrNameConflict is returned if a run of the same name has another identity.
	ErrNameConflict = errors.New("a run of this name is there already, and is not this change's")
	// ErrUnknownRun is returned if there is no run of the name.
	ErrUnknownRun = errors.New("there is no such run")
)

// New opens and locks the folder. Nothing runs before Start.
func New(opts Options) (*Runner, error) {
	opts.setDefaults()
	dir, err := filepath.Abs(opts.Dir)
	if err == nil && opts.Dir == "" {
		err = errors.New("no folder is given")
	}
	if err == nil {
		err = os.MkdirAll(dir, 0o700)
	}
	if err != nil {
		return nil, fmt.Errorf("open the folder of the runs: %w", err)
	}
	lock, err := statefile.Acquire(dir)
	if err != nil {
		return nil, err
	}
	opts.Dir = dir
	r := &Runner{opts: opts, lock: lock, runs: map[key]*run{}}
	r.ctx, r.cancel = context.WithCancel(context.Background())
	r.killCtx, r.cancelKill = context.WithCancel(context.Background())
	return r, nil
}

// Start resumes the active runs. It must be called once, before Submit.
func (r *Runner) Start() { r.resumeAll() }

// Request describes a run to submit.
type Request struct {
	Namespace string
	Name      string
	// Identity makes Submit idempotent: a run is started once for an identity.
	Identity   string
	Template   Template
	Parameters map[string]string
}

// Submit starts a run, or returns the existing one of the same name and identity. Once it
// has returned, the run is saved and survives this process. The error wraps
// ErrNameConflict if the name belongs to another identity.
func (r *Runner) Submit(req Request) (Run, error) {
	k := key{req.Namespace, req.Name}
	if bad := slices.Concat(validation.IsDNS1123Subdomain(req.Name), validation.IsDNS1123Label(req.Namespace)); len(bad) > 0 {
		return Run{}, fmt.Errorf("begin run %s: %s", k, strings.Join(bad, "; "))
	}
	r.dirMu.Lock()
	defer r.dirMu.Unlock()
	if r.ctx.Err() != nil {
		return Run{}, ErrClosed
	}
	if existing := r.find(k); existing != nil {
		if existing.rec.Identity != req.Identity {
			return Run{}, fmt.Errorf("begin run %s: %w", k, ErrNameConflict)
		}
		return *existing.snapshot.Load(), nil
	}
	rec, err := r.newRecord(req)
	if err != nil {
		return Run{}, fmt.Errorf("begin run %s: %w", k, err)
	}
	wf := r.newRun(rec)
	if err := os.MkdirAll(wf.dir, 0o700); err != nil {
		return Run{}, fmt.Errorf("begin run %s: %w", k, err)
	}
	if err := errors.Join(statefile.Write(wf.file(), &wf.rec), statefile.SyncDir(r.opts.Dir)); err != nil {
		return Run{}, fmt.Errorf("begin run %s: %w", k, errors.Join(err, os.RemoveAll(wf.dir)))
	}
	if !r.launch(k, wf) {
		return Run{}, errors.Join(ErrClosed, os.RemoveAll(wf.dir))
	}
	r.opts.Log.Info("workflow begins", "run", k.String(), "template", req.Template.Name, "folder", wf.dir)
	return *wf.snapshot.Load(), nil
}

// launch starts the goroutine of a run; false if the Runner is closed.
func (r *Runner) launch(k key, wf *run) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.ctx.Err() != nil {
		return false
	}
	r.runs[k] = wf
	r.work.Go(wf.drive)
	return true
}

// find returns a run by name; nil if there is none.
func (r *Runner) find(k key) *run {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.runs[k]
}

// newRecord validates a request and returns the record of its run.
func (r *Runner) newRecord(req Request) (record, error) {
	if found := Check(&req.Template); len(found) > 0 {
		return record{}, fmt.Errorf("its template can't be run here: %w", found)
	}
	parameters, err := ResolveParameters(&req.Template, req.Parameters)
	if err != nil {
		return record{}, err
	}
	now := r.opts.Clock.Now()
	deadline := now.Add(maxRunTime)
	if s := req.Template.Spec.ActiveDeadlineSeconds; s != nil && time.Duration(*s) < maxRunTime/time.Second {
		deadline = now.Add(time.Duration(*s) * time.Second)
	}
	return record{
		Namespace: req.Namespace, Name: req.Name, UID: newUID(), Identity: req.Identity, Template: req.Template, Parameters: parameters,
		Phase: Running, StartedAt: now, Deadline: deadline, Steps: map[string]*step{},
	}, nil
}

// newUID returns a version 4 UUID.
func newUID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// Run returns a run by name; false if there is none.
func (r *Runner) Run(namespace, name string) (Run, bool) {
	wf := r.find(key{namespace, name})
	if wf == nil {
		return Run{}, false
	}
	return *wf.snapshot.Load(), true
}

// Runs returns all runs, the newest first.
func (r *Runner) Runs() []Run {
	r.mu.Lock()
	defer r.mu.Unlock()
	var out []Run
	for _, wf := range r.runs {
		out = append(out, *wf.snapshot.Load())
	}
	slices.SortFunc(out, newestFirst)
	return out
}

// Cancel stops a run: its steps get SIGTERM, and SIGKILL after their grace period. It
// returns once that is saved, and has no effect on a run that has ended.
func (r *Runner) Cancel(namespace, name, why string) error {
	k := key{namespace, name}
	wf := r.find(k)
	if wf == nil {
		return fmt.Errorf("cancel run %s: %w", k, ErrUnknownRun)
	}
	if err := wf.cancel(why); err != nil {
		return fmt.Errorf("cancel run %s: %w", k, err)
	}
	return nil
}

// Reschedule makes the steps that wait for a node try again.
func (r *Runner) Reschedule() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, wf := range r.runs {
		wf.wakeUp()
	}
}

// Close shuts the Runner down and waits for everything that it started. If ctx ends first,
// the steps that are being stopped are killed. A second call does nothing.
func (r *Runner) Close(ctx context.Context, how CloseMode) error {
	r.mu.Lock()
	if r.ctx.Err() != nil {
		r.mu.Unlock()
		return nil
	}
	r.closeMode = how
	r.cancel()
	r.mu.Unlock()
	defer context.AfterFunc(ctx, r.cancelKill)()
	r.work.Wait() // bounded: it ends soon after ctx, as the wait for a killed process is bounded
	r.cancelKill()
	return r.lock.Release()
}
