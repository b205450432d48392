package policy

import (
	"fmt"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/util"

	"github.com/scanflow-k8s/scanflow/engine/mistake"
	"github.com/scanflow-k8s/scanflow/engine/policy/source"
)

// Unused returns the warnings about things without effect: data and rules that no
// entrypoint refers to, and references to undefined data.
func (r *Revision) Unused() []mistake.Mistake { return slices.Clone(r.unused) }

// unusedRules warns about packages and about rules of strategies and guards that no
// entrypoint refers to. used are the rules that entrypoints depend on.
func (r *Revision) unusedRules(modules []*ast.Module, used map[*ast.Rule]bool) {
	usedNames, usedPackages := map[string]bool{}, map[string]bool{}
	for rule := range used {
		usedNames[definitionPath(rule.Module, rule).String()] = true
		usedPackages[rule.Module.Package.Path.String()] = true
	}
	r.addTestImports(usedPackages)
	evaluated := map[string]bool{} // packages with an entrypoint
	for _, m := range modules {
		for _, rule := range m.Rules {
			if slices.Contains(entrypointsOf(m), ruleName(rule)) {
				evaluated[m.Package.Path.String()] = true
			}
		}
	}
	reported := map[string]bool{}
	var found mistake.Mistakes
	for _, m := range modules {
		pkg := m.Package.Path.String()
		if strings.HasPrefix(m.Package.Location.File, source.ShippedLabel) || len(m.Rules) == 0 {
			continue
		}
		if entrypointsOf(m) == nil {
			if !usedPackages[pkg] && !reported[pkg] {
				reported[pkg] = true
				found = append(found, at(m.Package.Location, fmt.Sprintf("nothing that is asked refers to package %s, which has no effect", withoutData(pkg)), "refer to it in a strategy or a guard, or take it out"))
			}
			continue
		}
		for _, rule := range m.Rules {
			if !evaluated[pkg] {
				break // inspect reports the package
			}
			name := definitionPath(m, rule).String()
			if slices.Contains(entrypointsOf(m), ruleName(rule)) || remembers(m, rule) || isTestRule(rule) || usedNames[name] || reported[name] {
				continue
			}
			reported[name] = true
			evaluatedRules := slices.Clone(entrypointsOf(m))
			if slices.Contains(evaluatedRules, proposeRule) {
				evaluatedRules = append(evaluatedRules, rememberRule)
			}
			found = append(found, at(rule.Location, fmt.Sprintf("%s binds nobody, and no %s refers to it", withoutData(name), strings.Join(evaluatedRules, " or ")), "refer to it, or take it out"))
		}
	}
	r.unused = append(r.unused, found[:min(len(found), source.MaxNamed)]...)
	if others := len(found) - source.MaxNamed; others > 0 {
		r.unused = append(r.unused, mistake.Mistake{Message: fmt.Sprintf("%d more rules and packages have no effect", others), Fix: "take them out, and check again"})
	}
}

// danglingLinks warns about broken links.
func (r *Revision) danglingLinks() {
	for _, p := range r.source.All() {
		for _, name := range p.Dangling {
			r.unused = append(r.unused, mistake.Mistake{File: p.Name(name), Message: "a link to nothing, which has no effect", Fix: "have it lead to a file or a folder, or remove it"})
		}
	}
}

// addTestImports adds the packages that tests refer to: a library may have no other user.
func (r *Revision) addTestImports(packages map[string]bool) {
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

// unusedData warns about data that no rule refers to, neither to the value itself nor
// to a part of it nor to an object that contains it.
func (r *Revision) unusedData(data map[string]any) {
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
	var found source.DataPaths
	var walk func(v map[string]any, at []string, node *refTree)
	walk = func(v map[string]any, at []string, node *refTree) {
		if node.whole {
			return
		}
		for _, k := range util.KeysSorted(v) {
			below := append(slices.Clone(at), k)
			next := node.below[k]
			if next == nil {
				found.Add(below)
				continue
			}
			if obj, ok := v[k].(map[string]any); ok {
				walk(obj, below, next)
			}
		}
	}
	walk(data, nil, read)
	for i, file := range source.FilesSetting(r.source.All(), found.First) {
		r.unused = append(r.unused, mistake.Mistake{File: file, Message: fmt.Sprintf("no rule refers to %s, which has no effect", source.FormatPath(found.First[i])), Fix: "correct the name, or take it out"})
	}
	if found.Others > 0 {
		r.unused = append(r.unused, mistake.Mistake{Message: fmt.Sprintf("no rule refers to %d more values of data, which have no effect", found.Others), Fix: "correct their names, or take them out"})
	}
}

// refTree is a tree of references to data.
type refTree struct {
	whole bool // the value as a whole is referred to
	below map[string]*refTree
}

func (t *refTree) add(ref ast.Ref) {
	for _, term := range ref {
		key, ok := term.Value.(ast.String)
		if !ok {
			break // for example an index of an array
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
