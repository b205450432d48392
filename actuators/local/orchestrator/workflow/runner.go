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

// Runner runs workflows. New opens its folder, Start takes up the runs that are under
// way there, Begin begins one, Close ends it all. Each run has a goroutine of its own.
type Runner struct {
	opts Options
	lock *filelock.Lock

	ctx    context.Context // ends when Close begins
	cancel context.CancelFunc
	kill   context.Context // ends when steps that are being ended may not be waited for
	killed context.CancelFunc
	how    Ending         // written before ctx ends
	work   sync.WaitGroup // the runs

	disk sync.Mutex // folders are made and removed one at a time; taken before mu
	mu   sync.Mutex // never held while a disk is waited for
	runs map[key]*run
}

type key struct{ namespace, name string }

func (k key) String() string { return k.namespace + "/" + k.name }

// Ending says what becomes of the runs when the Runner is closed.
type Ending int

const (
	// Detach leaves the steps running; the runs go on under the next Runner.
	Detach Ending = iota
	// StopAll ends every step and every run.
	StopAll
)

var (
	// ErrClosed says that the Runner was closed.
	ErrClosed = errors.New("the workflow runner is closed")
	// ErrTaken says that a run of the name is there, and is another identity's.
	ErrTaken = errors.New("a run of this name is there already, and is not this change's")
	// ErrUnknownRun says that there is no run of the name, or none any more.
	ErrUnknownRun = errors.New("there is no such run")
)

// New opens the folder. Nothing runs before Start.
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
	r.kill, r.killed = context.WithCancel(context.Background())
	return r, nil
}

// Start goes on with the runs that are under way. It is called once, before Begin.
func (r *Runner) Start() { r.load() }

// Request is a run to begin.
type Request struct {
	Namespace string
	Name      string
	// Identity is whose run it is: beginning it twice is beginning it once.
	Identity   string
	Template   Template
	Parameters map[string]string
}

// Begin begins a run, unless it was begun before: then it is that. Once Begin has
// returned, it goes on whatever becomes of this process. The error is ErrTaken where
// the name is another's; ParametersOf says beforehand what is wrong with the parameters.
func (r *Runner) Begin(req Request) (Run, error) {
	k := key{req.Namespace, req.Name}
	if bad := slices.Concat(validation.IsDNS1123Subdomain(req.Name), validation.IsDNS1123Label(req.Namespace)); len(bad) > 0 {
		return Run{}, fmt.Errorf("begin run %s: %s", k, strings.Join(bad, "; "))
	}
	r.disk.Lock()
	defer r.disk.Unlock()
	if r.ctx.Err() != nil {
		return Run{}, ErrClosed
	}
	if was := r.find(k); was != nil {
		if was.rec.Identity != req.Identity {
			return Run{}, fmt.Errorf("begin run %s: %w", k, ErrTaken)
		}
		return *was.seen.Load(), nil
	}
	rec, err := r.newRecord(req)
	if err != nil {
		return Run{}, fmt.Errorf("begin run %s: %w", k, err)
	}
	one := r.newRun(rec)
	if err := os.MkdirAll(one.dir, 0o700); err != nil {
		return Run{}, fmt.Errorf("begin run %s: %w", k, err)
	}
	if err := errors.Join(statefile.Write(one.file(), &one.rec), statefile.SyncFolder(r.opts.Dir)); err != nil {
		return Run{}, fmt.Errorf("begin run %s: %w", k, errors.Join(err, os.RemoveAll(one.dir)))
	}
	if !r.drive(k, one) {
		return Run{}, errors.Join(ErrClosed, os.RemoveAll(one.dir))
	}
	r.opts.Log.Info("workflow begins", "run", k.String(), "template", req.Template.Name, "folder", one.dir)
	return *one.seen.Load(), nil
}

// drive sets a run going; false if the Runner is closed.
func (r *Runner) drive(k key, one *run) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.ctx.Err() != nil {
		return false
	}
	r.runs[k] = one
	r.work.Go(one.drive)
	return true
}

// find is a run by its name; nil if there is none.
func (r *Runner) find(k key) *run {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.runs[k]
}

// newRecord is a run before its first step.
func (r *Runner) newRecord(req Request) (record, error) {
	if found := Check(&req.Template); len(found) > 0 {
		return record{}, fmt.Errorf("its template can't be run here: %w", joined(found))
	}
	parameters, err := ParametersOf(&req.Template, req.Parameters)
	if err != nil {
		return record{}, err
	}
	now := r.opts.Clock.Now()
	deadline := now.Add(mostRun)
	if s := req.Template.Spec.ActiveDeadlineSeconds; s != nil && time.Duration(*s) < mostRun/time.Second {
		deadline = now.Add(time.Duration(*s) * time.Second)
	}
	return record{
		Namespace: req.Namespace, Name: req.Name, UID: newUID(), Identity: req.Identity, Template: req.Template, Parameters: parameters,
		Phase: Running, StartedAt: now, Deadline: deadline, Steps: map[string]*step{},
	}, nil
}

func joined(found []Problem) error {
	errs := make([]error, len(found))
	for i, p := range found {
		errs[i] = p
	}
	return errors.Join(errs...)
}

// newUID is a version 4 UUID.
func newUID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// Run is how a run stands; false if there is none of that name.
func (r *Runner) Run(namespace, name string) (Run, bool) {
	one := r.find(key{namespace, name})
	if one == nil {
		return Run{}, false
	}
	return *one.seen.Load(), true
}

// Runs are all that there are, the newest first.
func (r *Runner) Runs() []Run {
	r.mu.Lock()
	defer r.mu.Unlock()
	var out []Run
	for _, one := range r.runs {
		out = append(out, *one.seen.Load())
	}
	slices.SortFunc(out, newestFirst)
	return out
}

// Cancel ends a run: its steps get SIGTERM, and SIGKILL after their grace. It returns
// when that is written down; one that has ended stays as it is.
func (r *Runner) Cancel(namespace, name, why string) error {
	k := key{namespace, name}
	one := r.find(k)
	if one == nil {
		return fmt.Errorf("cancel run %s: %w", k, ErrUnknownRun)
	}
	if err := one.cancel(why); err != nil {
		return fmt.Errorf("cancel run %s: %w", k, err)
	}
	return nil
}

// Poke has steps that wait for a node look again.
func (r *Runner) Poke() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, one := range r.runs {
		one.poke()
	}
}

// Close ends the Runner and waits for everything that it started. When ctx ends
// first, steps that are being ended are killed. Closing twice is fine.
func (r *Runner) Close(ctx context.Context, how Ending) error {
	r.mu.Lock()
	if r.ctx.Err() != nil {
		r.mu.Unlock()
		return nil
	}
	r.how = how
	r.cancel()
	r.mu.Unlock()
	defer context.AfterFunc(ctx, r.killed)()
	r.work.Wait() // comes soon after ctx: a killed process is not waited for without end
	r.killed()
	return r.lock.Release()
}
