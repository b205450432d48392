package policy

import (
	"fmt"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/util"

	"github.com/scanflow-k8s/scanflow/engine/mistake"
)

// Unused are the warnings of what has no effect: data and rules that nothing which is
// asked refers to, and references to what is not there.
func (r *Revision) Unused() []mistake.Mistake { return slices.Clone(r.idle) }

// unused warns of rules of strategies and guards, and of whole packages, that no propose
// and no deny refers to. used are the rules that one does.
func (r *Revision) unused(modules []*ast.Module, used map[*ast.Rule]bool) {
	usedNames, usedPackages := map[string]bool{}, map[string]bool{}
	for rule := range used {
		usedNames[definedAt(rule.Module, rule).String()] = true
		usedPackages[rule.Module.Package.Path.String()] = true
	}
	r.testsUse(usedPackages)
	asks := map[string]bool{} // packages of the trees that have a rule which is asked
	for _, m := range modules {
		for _, rule := range m.Rules {
			if bound := boundName(m); bound != "" && ruleName(rule) == bound {
				asks[m.Package.Path.String()] = true
			}
		}
	}
	said := map[string]bool{}
	var found mistake.Mistakes
	for _, m := range modules {
		pkg := m.Package.Path.String()
		if strings.HasPrefix(m.Package.Location.File, shippedLabel) || len(m.Rules) == 0 {
			continue
		}
		if boundName(m) == "" {
			if !usedPackages[pkg] && !said[pkg] {
				said[pkg] = true
				found = append(found, at(m.Package.Location, fmt.Sprintf("nothing that is asked refers to package %s, which has no effect", short(pkg)), "refer to it in a strategy or a guard, or take it out"))
			}
			continue
		}
		for _, rule := range m.Rules {
			if !asks[pkg] {
				break // which is said of the package
			}
			name := definedAt(m, rule).String()
			if ruleName(rule) == boundName(m) || isTestRule(rule) || usedNames[name] || said[name] {
				continue
			}
			said[name] = true
			found = append(found, at(rule.Location, fmt.Sprintf("%s binds nobody, and no %s refers to it", short(name), boundName(m)), "refer to it, or take it out"))
		}
	}
	r.idle = append(r.idle, found[:min(len(found), mostNamed)]...)
	if others := len(found) - mostNamed; others > 0 {
		r.idle = append(r.idle, mistake.Mistake{Message: fmt.Sprintf("%d more rules and packages have no effect", others), Fix: "take them out, and check again"})
	}
}

// dangling warns of links to nothing.
func (r *Revision) dangling() {
	for _, p := range r.source.parts() {
		for _, name := range p.Dangling {
			r.idle = append(r.idle, mistake.Mistake{File: p.name(name), Message: "a link to nothing, which has no effect", Fix: "have it lead to a file or a folder, or remove it"})
		}
	}
}

// testsUse adds the packages that tests refer to: libraries for others are tried there.
func (r *Revision) testsUse(packages map[string]bool) {
	for _, m := range r.compiler.Modules {
		if !isTest(m) {
			continue
		}
		for _, rule := range m.Rules {
			for dep := range r.compiler.Graph.Dependencies(rule) {
				if used, ok := dep.(*ast.Rule); ok {
					packages[used.Module.Package.Path.String()] = true
				}
			}
		}
	}
}

// unreadData warns of data that no rule refers to. A value is named where nothing refers
// to it, to anything below it, or to all of what it is in.
func (r *Revision) unreadData(data map[string]any) {
	read := &refTree{}
	for _, m := range r.compiler.Modules {
		for _, rule := range m.Rules {
			ast.WalkRefs(rule, func(ref ast.Ref) bool {
				if isData(ref) {
					read.add(ref.GroundPrefix()[1:])
				}
				return false
			})
		}
	}
	var found places
	var walk func(v map[string]any, at []string, node *refTree)
	walk = func(v map[string]any, at []string, node *refTree) {
		if node.whole {
			return
		}
		for _, k := range util.KeysSorted(v) {
			below := append(slices.Clone(at), k)
			next := node.below[k]
			if next == nil {
				found.add(below)
				continue
			}
			if obj, ok := v[k].(map[string]any); ok {
				walk(obj, below, next)
			}
		}
	}
	walk(data, nil, read)
	for i, file := range setters(r.source.parts(), found.named) {
		r.idle = append(r.idle, mistake.Mistake{File: file, Message: fmt.Sprintf("no rule refers to %s, which has no effect", dataPath(found.named[i])), Fix: "correct the name, or take it out"})
	}
	if found.others > 0 {
		r.idle = append(r.idle, mistake.Mistake{Message: fmt.Sprintf("no rule refers to %d more values of data, which have no effect", found.others), Fix: "correct their names, or take them out"})
	}
}

// refTree are references to data, by their parts.
type refTree struct {
	whole bool // all of what is here is referred to
	below map[string]*refTree
}

func (t *refTree) add(ref ast.Ref) {
	for _, term := range ref {
		key, ok := term.Value.(ast.String)
		if !ok {
			break // an item of a list, say
		}
		if t.below == nil {
			t.below = map[string]*refTree{}
		}
		if t.below[string(key)] == nil {
			t.below[string(key)] = &refTree{}
		}
		t = t.below[string(key)]
	}
	t.whole = true
}

func dataPath(at []string) string {
	ref := ast.Ref{ast.DefaultRootDocument}
	for _, k := range at {
		ref = append(ref, ast.StringTerm(k))
	}
	return ref.String()
}
