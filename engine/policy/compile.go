package policy

import (
	"context"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/storage"
	"github.com/open-policy-agent/opa/v1/storage/inmem"

	"github.com/scanflow-k8s/scanflow/engine/confine"
	"github.com/scanflow-k8s/scanflow/engine/policy/bounded"
	"github.com/scanflow-k8s/scanflow/engine/policy/source"
)

// Options configure how a revision is compiled and evaluated. The zero value is
// ready for use.
type Options struct {
	// Deadline bounds one evaluation; 0 is one second.
	Deadline time.Duration
	// TestTimeout bounds the tests of a revision together; 0 is 30 seconds.
	TestTimeout time.Duration
	// NoRules leaves Evaluation.Rules empty, which makes an evaluation slightly cheaper.
	NoRules bool
	// OnOverrun is called, on its own goroutine, when an evaluation keeps running
	// after it was cancelled at its deadline. Only the end of the process stops it.
	OnOverrun func(Overrun)
	// OnSlow is called when an evaluation takes long, so that it can be recorded in
	// case it crashes the process. The function that it returns removes the record
	// when the evaluation ends.
	OnSlow func(Overrun) (remove func())
	// Quarantine lists the members that are not evaluated; nil is none.
	Quarantine *Quarantine

	overrunAfter time.Duration // for tests; 0 is the constant
}

const (
	// compileTimeout bounds reading and compiling in a confined child.
	compileTimeout = 10 * time.Second
	// nextTestTimeout bounds the time between the ends of two tests in a confined child.
	nextTestTimeout = testTimeout + 5*time.Second
)

func (o Options) withDefaults() Options {
	if o.Deadline <= 0 {
		o.Deadline = time.Second
	}
	if o.TestTimeout <= 0 {
		o.TestTimeout = 30 * time.Second
	}
	if o.overrunAfter <= 0 {
		o.overrunAfter = overrunAfter
	}
	return o
}

// Compile returns a revision without running its tests. The error is of type
// Mistakes and holds every mistake.
func Compile(ctx context.Context, src source.Source, opts Options) (*Revision, error) {
	b, err := newBuild(ctx, src, opts)
	if err != nil {
		return nil, err
	}
	if b.compiler.Compile(b.modules); b.compiler.Failed() {
		return nil, sorted(fromOPA(b.compiler.Errors)).Err()
	}
	return b.revision()
}

// Draft returns a revision that compiles but may break other rules, so that it
// can be checked against agents and reported on. It must not decide.
func Draft(ctx context.Context, src source.Source) (*Revision, error) {
	b, err := newBuild(ctx, src, Options{})
	if err != nil {
		return nil, err
	}
	if b.compiler.Compile(b.modules); b.compiler.Failed() {
		return nil, sorted(fromOPA(b.compiler.Errors)).Err()
	}
	rev := newRevision(b)
	_ = rev.inspect(b.data) // Candidate reports these mistakes
	return rev, nil
}

// build holds the inputs of a revision.
type build struct {
	src      source.Source
	opts     Options
	modules  map[string]*ast.Module
	store    storage.Store
	compiler *ast.Compiler
	// data is the content of the data files.
	data map[string]any
}

func newBuild(ctx context.Context, src source.Source, opts Options) (*build, error) {
	bounded.Install() // before anything is evaluated
	b := &build{src: src, opts: opts.withDefaults()}
	confine.Doing("reading and compiling the policies", compileTimeout)
	o, mistakes := src.Open()
	modules, more := parse(o)
	if mistakes = append(mistakes, more...); len(mistakes) > 0 {
		return nil, sorted(mistakes).Err()
	}
	b.modules, b.data = modules, o.Data
	b.store = inmem.NewFromObjectWithOpts(o.Data, inmem.OptReturnASTValuesOnRead(true))
	b.compiler = newCompiler().WithStrict(true).WithPathConflictsCheck(func(path []string) (bool, error) {
		txn, err := b.store.NewTransaction(ctx)
		if err != nil {
			return false, err
		}
		defer b.store.Abort(ctx, txn)
		return storage.NonEmpty(ctx, b.store, txn)(path)
	})
	return b, nil
}

func newCompiler() *ast.Compiler {
	return ast.NewCompiler().
		WithCapabilities(capabilities()).
		WithDefaultRegoVersion(ast.RegoV1).
		WithUseTypeCheckAnnotations(true).
		SetErrorLimit(0)
}

// revision checks the compiled modules.
func (b *build) revision() (*Revision, error) {
	rev := newRevision(b)
	if mistakes := rev.inspect(b.data); len(mistakes) > 0 {
		return nil, sorted(mistakes).Err()
	}
	return rev, nil
}
