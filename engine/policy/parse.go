package policy

import (
	"fmt"
	"runtime"
	"strings"
	"sync"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/scanflow-k8s/scanflow/engine/mistake"
	"github.com/scanflow-k8s/scanflow/engine/policy/bounded"
	"github.com/scanflow-k8s/scanflow/engine/policy/source"
)

// parse parses all modules, on all cores.
func parse(src *source.Opened) (map[string]*ast.Module, mistake.Mistakes) {
	var files []moduleFile
	var mistakes mistake.Mistakes
	var mu sync.Mutex
	var wg sync.WaitGroup
	slots := make(chan struct{}, runtime.GOMAXPROCS(0))
	for _, p := range src.Parts {
		for _, f := range p.Files {
			if !strings.HasSuffix(f.Path, ".rego") || bounded.CheckSource(f.Content) != nil {
				continue // open has reported it
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
	files, wrong := resolvePackages(files)
	mistakes = append(mistakes, wrong...)
	modules := map[string]*ast.Module{}
	for _, f := range files {
		name := f.part.Name(f.file.Path)
		if modules[name] != nil {
			mistakes = append(mistakes, mistake.Mistake{File: name, Message: "is read twice", Fix: "of folders that lie in each other, give one"})
			continue
		}
		modules[name] = f.m
	}
	insertScopes(modules)
	return modules, sorted(mistakes)
}

// parseModule parses one module. The module is nil if it can't be compiled.
func parseModule(p *source.Part, f source.File) (*ast.Module, mistake.Mistakes) {
	name := p.Name(f.Path)
	m, err := ast.ParseModuleWithOpts(name, string(f.Content), ast.ParserOptions{RegoVersion: ast.RegoV1, ProcessAnnotation: true, Capabilities: capabilities()})
	switch {
	case err != nil:
		return nil, fromOPA(err)
	case m == nil:
		return nil, mistake.Mistakes{{File: name, Message: "the file is empty", Fix: "begin it with a package, or delete it"}}
	case !p.OwnsPackage(m):
		return nil, mistake.Mistakes{at(m.Package.Location, fmt.Sprintf("%s is outside of the manifest's roots", m.Package.Path), "rename it, or add a root")}
	case len(externalSchemas(m)) > 0:
		return nil, externalSchemas(m)
	}
	wrong := hugeNumbers(m)
	boundEquals(m)
	labelRules(m)
	return m, wrong
}

// ruleLabel is the label under which OPA's tracker reports a rule's title.
const ruleLabel = "scanflow.dev/rule"

// labelRules labels each titled `propose` rule, so that OPA's tracker reports
// whether it fired.
func labelRules(m *ast.Module) {
	strategy, ok := packageName(m.Package.Path, strategiesRoot)
	if !ok || isTest(m) {
		return
	}
	for _, a := range m.Annotations {
		target := a.GetTargetPath()
		if a.Scope != "rule" || a.Title == "" || len(target) == 0 || !lastPartIs(target, "propose") {
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

func lastPartIs(ref ast.Ref, name string) bool {
	s, ok := ref[len(ref)-1].Value.(ast.String)
	return ok && string(s) == name
}

// isTest reports whether a module holds tests.
func isTest(m *ast.Module) bool {
	if m.Package.Location != nil && strings.HasSuffix(m.Package.Location.File, "_test.rego") {
		return true
	}
	last, ok := m.Package.Path[len(m.Package.Path)-1].Value.(ast.String)
	return ok && strings.HasSuffix(string(last), "_test")
}

// packageName returns the name of a package below data.scanflow.ROOT, joined by dots.
func packageName(pkg ast.Ref, root string) (string, bool) {
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

const (
	strategiesRoot = "strategies"
	guardsRoot     = "guards"
)
