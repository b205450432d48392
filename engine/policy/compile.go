package policy

import (
	"context"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/storage"
	"github.com/open-policy-agent/opa/v1/storage/inmem"

	"github.com/scanflow-k8s/scanflow/engine/confine"
	"github.com/scanflow-k8s/scanflow/engine/mistake"
	"github.com/scanflow-k8s/scanflow/engine/policy/bounded"
)

// Options are how a revision is built and asked. The zero value is meant for use.
type Options struct {
	// Deadline bounds one evaluation; 0 is one second.
	Deadline time.Duration
	// TestTimeout bounds the tests of a revision together; 0 is 30 seconds.
	TestTimeout time.Duration
	// NoRules leaves Evaluation.Rules empty, which makes an evaluation a little cheaper.
	NoRules bool
	// Overran is told of an evaluation that went on after it was told to stop at its
	// deadline. Nothing inside the process can stop it then. It is called on a goroutine
	// of its own; nil is not told.
	Overran func(Overrun)
	// Note notes that an evaluation is under way which takes long, so that it is known
	// should it end the process, and returns what takes the note back. Nil notes nothing.
	Note func(Overrun) (takeBack func())
	// Quarantine is what is not asked; nil is nothing.
	Quarantine *Quarantine

	overrunAfter time.Duration // 0 is the constant
}

const (
	// compileWithin bounds the reading and compiling of policies in a confined child.
	compileWithin = 10 * time.Second
	// nextTestWithin bounds the time from the end of one test to that of another there.
	nextTestWithin = testWithin + 5*time.Second
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

// Compile makes a revision without running its tests. The error is of type
// Mistakes and names all of them.
func Compile(ctx context.Context, src Source, opts Options) (*Revision, error) {
	b, err := newBuild(ctx, src, opts)
	if err != nil {
		return nil, err
	}
	if b.compiler.Compile(b.modules); b.compiler.Failed() {
		return nil, sorted(fromOPA(b.compiler.Errors)).Err()
	}
	return b.revision()
}

// Draft makes a revision that only compiles: to be checked against agents and
// reported on, whatever else is wrong with it. It is not fit to decide.
func Draft(ctx context.Context, src Source) (*Revision, error) {
	b, err := newBuild(ctx, src, Options{})
	if err != nil {
		return nil, err
	}
	if b.compiler.Compile(b.modules); b.compiler.Failed() {
		return nil, sorted(fromOPA(b.compiler.Errors)).Err()
	}
	rev := newRevision(b)
	_ = rev.inspect(b.data) // what it finds wrong is for Candidate to say
	return rev, nil
}

// build is a revision in the making.
type build struct {
	src      Source
	opts     Options
	modules  map[string]*ast.Module
	store    storage.Store
	compiler *ast.Compiler
	// data is `data` without the rules.
	data map[string]any
}

func newBuild(ctx context.Context, src Source, opts Options) (*build, error) {
	bounded.Install() // before anything is evaluated
	b := &build{src: src, opts: opts.withDefaults()}
	confine.Doing("reading and compiling the policies", compileWithin)
	o, mistakes := src.open()
	modules, more := parse(o)
	if mistakes = append(mistakes, more...); len(mistakes) > 0 {
		return nil, sorted(mistakes).Err()
	}
	b.modules, b.data = modules, o.data
	b.store = inmem.NewFromObjectWithOpts(o.data, inmem.OptReturnASTValuesOnRead(true))
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

// revision checks the compiled modules and makes them ready.
func (b *build) revision() (*Revision, error) {
	rev := newRevision(b)
	if mistakes := rev.inspect(b.data); len(mistakes) > 0 {
		return nil, sorted(mistakes).Err()
	}
	return rev, nil
}

// parse reads all modules, on all cores.
func parse(src *opened) (map[string]*ast.Module, mistake.Mistakes) {
	var files []moduleFile
	var mistakes mistake.Mistakes
	var mu sync.Mutex
	var wg sync.WaitGroup
	slots := make(chan struct{}, runtime.GOMAXPROCS(0))
	for _, p := range src.parts {
		for _, f := range p.Files {
			if !strings.HasSuffix(f.Path, ".rego") || bounded.CheckSource(f.Content) != nil {
				continue // that is a mistake already
			}
			slots <- struct{}{}
			wg.Go(func() {
				defer func() { <-slots }()
				m, wrong := parseModule(p, f)
				mu.Lock()
				defer mu.Unlock()
				mistakes = append(mistakes, wrong...)
				if m != nil {
					files = append(files, moduleFile{file: f, part: p, m: m})
				}
			})
		}
	}
	wg.Wait()
	files, wrong := settleParts(files)
	mistakes = append(mistakes, wrong...)
	modules := map[string]*ast.Module{}
	for _, f := range files {
		name := f.part.name(f.file.Path)
		if modules[name] != nil {
			mistakes = append(mistakes, mistake.Mistake{File: name, Message: "is read twice", Fix: "of folders that lie in each other, give one"})
			continue
		}
		modules[name] = f.m
	}
	return modules, sorted(mistakes)
}

// parseModule reads one module; nil is one that has mistakes.
func parseModule(p *part, f File) (*ast.Module, mistake.Mistakes) {
	name := p.name(f.Path)
	m, err := ast.ParseModuleWithOpts(name, string(f.Content), ast.ParserOptions{RegoVersion: ast.RegoV1, ProcessAnnotation: true, Capabilities: capabilities()})
	switch {
	case err != nil:
		return nil, fromOPA(err)
	case m == nil:
		return nil, mistake.Mistakes{{File: name, Message: "the file is empty", Fix: "begin it with a package, or delete it"}}
	case !p.hasPackage(m):
		return nil, mistake.Mistakes{at(m.Package.Location, fmt.Sprintf("%s is outside of the manifest's roots", m.Package.Path), "rename it, or add a root")}
	case len(foreignSchemas(m)) > 0:
		return nil, foreignSchemas(m)
	}
	wrong := hugeNumbers(m)
	boundEquals(m)
	label(m)
	return m, wrong
}

// ruleLabel is the key under which a rule's title travels through OPA's tracker.
const ruleLabel = "scanflow.dev/rule"

// label gives each titled `propose` rule a label, by which OPA's tracker tells
// that it fired.
func label(m *ast.Module) {
	strategy, ok := under(m.Package.Path, strategiesRoot)
	if !ok || isTest(m) {
		return
	}
	for _, a := range m.Annotations {
		target := a.GetTargetPath()
		if a.Scope != "rule" || a.Title == "" || len(target) == 0 || !isNamed(target, "propose") {
			continue
		}
		labels := map[string]any{ruleLabel: strategy + "\n" + a.Title}
		for k, v := range a.Labels {
			if k != ruleLabel {
				labels[k] = v
			}
		}
		a.Labels = labels
	}
}

func isNamed(ref ast.Ref, name string) bool {
	s, ok := ref[len(ref)-1].Value.(ast.String)
	return ok && string(s) == name
}

// isTest tells whether a module holds tests and no policy.
func isTest(m *ast.Module) bool {
	if m.Package.Location != nil && strings.HasSuffix(m.Package.Location.File, "_test.rego") {
		return true
	}
	last, ok := m.Package.Path[len(m.Package.Path)-1].Value.(ast.String)
	return ok && strings.HasSuffix(string(last), "_test")
}

const (
	strategiesRoot = "strategies"
	guardsRoot     = "guards"
)

// under gives the name of a package below data.scanflow.ROOT, its parts joined by dots.
func under(pkg ast.Ref, root string) (string, bool) {
	if len(pkg) < 4 {
		return "", false
	}
	var parts []string
	for _, t := range pkg[1:] {
		s, ok := t.Value.(ast.String)
		if !ok {
			return "", false
		}
		parts = append(parts, string(s))
	}
	if parts[0] != "scanflow" || parts[1] != root {
		return "", false
	}
	return strings.Join(parts[2:], "."), true
}
