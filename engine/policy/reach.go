package policy

import (
	"fmt"
	"slices"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/util"

	"github.com/scanflow-k8s/scanflow/engine/mistake"
)

// reaching finds rules that define something in a package other than their own: OPA lets
// `package scanflow.guards` define `layers.application`, which then counts in the guard
// layers. Only the package of a guard may define its rules, and a package is in one source
// alone.
func (r *Revision) reaching(files []string) mistake.Mistakes {
	packages := map[string]string{} // a file of each, the first
	for _, file := range files {
		if pkg := r.compiler.Modules[file].Package.Path.String(); packages[pkg] == "" {
			packages[pkg] = file
		}
	}
	origins := r.source.origins()
	var out mistake.Mistakes
	for _, file := range files {
		m := r.compiler.Modules[file]
		said := map[string]bool{}
		for _, rule := range m.Rules {
			place := definedAt(m, rule)
			if len(place) == len(m.Package.Path)+1 && len(m.Package.Path) > 2 {
				continue // a plain name: OPA finds what it is in conflict with
			}
			wrong := r.reachesInto(file, place, packages, origins)
			if name := rule.Head.Ref().GroundPrefix().String(); wrong != nil && !said[name] {
				said[name] = true
				wrong.Message = fmt.Sprintf("%s in package %s defines a part of package %s", name, short(m.Package.Path.String()), wrong.Message)
				wrong.File, wrong.Line, wrong.Column = rule.Location.File, rule.Location.Row, rule.Location.Col
				out = append(out, *wrong)
			}
		}
	}
	return out
}

// definedAt is where a rule's value is in data, as far as the text tells.
func definedAt(m *ast.Module, rule *ast.Rule) ast.Ref {
	return m.Package.Path.Extend(rule.Head.Ref().GroundPrefix())
}

// reachesInto finds the package, and what to do, for a rule of a file that is at a place.
func (r *Revision) reachesInto(file string, place ast.Ref, packages, origins map[string]string) *mistake.Mistake {
	own := r.compiler.Modules[file].Package.Path
	if _, bound := boundTree(own); !bound {
		if pkg, in := boundTree(place); in && (len(place) > len(own)+1 || len(own) < 3) {
			return &mistake.Mistake{Message: pkg, Fix: "write it in a file of that package"}
		}
	}
	for n := len(own) + 1; n < len(place); n++ {
		pkg := place[:n]
		other := packages[pkg.String()]
		if other == "" {
			continue
		}
		if _, bound := boundTree(pkg); bound || origins[file] != origins[other] {
			return &mistake.Mistake{Message: fmt.Sprintf("%s (%s)", short(pkg.String()), other), Fix: "write it in that package's own source, or rename it"}
		}
	}
	return nil
}

var boundTrees = []ast.Ref{ast.MustParseRef("data.scanflow." + strategiesRoot), ast.MustParseRef("data.scanflow." + guardsRoot)}

// boundTree is the package of a strategy or a guard that a place is in, as far as the
// place tells.
func boundTree(place ast.Ref) (string, bool) {
	for _, tree := range boundTrees {
		if place.HasPrefix(tree) && len(place) > len(tree) {
			return short(place[:len(tree)+1].String()), true
		}
	}
	return "", false
}

// intoLive finds rules of tests that count outside of them: tests are compiled with what
// they test, so that one which defines a rule of the same name changes it.
func (r *Revision) intoLive(files []string) mistake.Mistakes {
	live := map[string]*ast.Rule{}
	for _, file := range files {
		if m := r.compiler.Modules[file]; !isTest(m) {
			for _, rule := range m.Rules {
				live[definedAt(m, rule).String()] = rule
			}
		}
	}
	var out mistake.Mistakes
	said := map[string]bool{}
	for _, file := range files {
		m := r.compiler.Modules[file]
		if !isTest(m) {
			continue
		}
		for _, rule := range m.Rules {
			place := definedAt(m, rule)
			for n := len(m.Package.Path) + 1; n <= len(place); n++ {
				name := place[:n].String()
				if was := live[name]; was != nil && !said[name] {
					said[name] = true
					out = append(out, at(rule.Location, fmt.Sprintf("a rule of a test file adds to %s, which counts outside of tests (%s:%d)", short(name), was.Location.File, was.Location.Row), "rename it, or give the tests a package of their own, with _test at its end"))
				}
			}
		}
	}
	return out
}

// asTests finds strategies and guards that their file or their package calls tests, so
// that nobody asks them.
func (r *Revision) asTests(files []string) mistake.Mistakes {
	tested := map[string]bool{}
	for _, file := range files {
		if m := r.compiler.Modules[file]; slices.ContainsFunc(m.Rules, isTestRule) {
			tested[m.Package.Path.String()] = true
		}
	}
	var out mistake.Mistakes
	for _, file := range files {
		m := r.compiler.Modules[file]
		bound := boundName(m)
		if !isTest(m) || bound == "" || tested[m.Package.Path.String()] && testPackage(m) {
			continue
		}
		for _, rule := range m.Rules {
			if ruleName(rule) != bound {
				continue
			}
			calls, fix := "its file ends with _test.rego", "rename the file"
			if testPackage(m) {
				calls, fix = "its package ends with _test, and has no rule test_...", "rename the package"
			}
			out = append(out, at(rule.Location, fmt.Sprintf("%s in package %s binds nobody: %s, so that it is a test", bound, short(m.Package.Path.String()), calls), fix+"; or rename the rule, if it is for tests"))
			break
		}
	}
	return out
}

// testPackage reports whether a package is called a test.
func testPackage(m *ast.Module) bool {
	last, ok := m.Package.Path[len(m.Package.Path)-1].Value.(ast.String)
	return ok && len(last) > len("_test") && last[len(last)-len("_test"):] == "_test"
}

// bindingData finds data at the place of a rule that binds, which nobody asks.
func (r *Revision) bindingData(data map[string]any) mistake.Mistakes {
	var found places
	var walk func(v any, at []string, bound string)
	walk = func(v any, at []string, bound string) {
		obj, _ := v.(map[string]any)
		for _, k := range util.KeysSorted(obj) {
			below := append(slices.Clone(at), k)
			if k == bound && len(at) > 2 {
				found.add(below)
				continue
			}
			walk(obj[k], below, bound)
		}
	}
	top, _ := data["scanflow"].(map[string]any)
	for _, root := range util.KeysSorted(binding) {
		walk(top[root], []string{"scanflow", root}, binding[root])
	}
	const fix = "write a rule in Rego"
	var out mistake.Mistakes
	for i, file := range setters(r.source.parts(), found.named) {
		out = append(out, mistake.Mistake{File: file, Message: dataPath(found.named[i]) + " is data, and binds nobody", Fix: fix})
	}
	if found.others > 0 {
		out = append(out, mistake.Mistake{Message: fmt.Sprintf("%d more values of data bind nobody", found.others), Fix: fix})
	}
	return out
}
