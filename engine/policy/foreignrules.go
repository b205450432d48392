package policy

import (
	"fmt"
	"slices"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/util"

	"github.com/scanflow-k8s/scanflow/engine/mistake"
	"github.com/scanflow-k8s/scanflow/engine/policy/source"
)

// foreignRules reports rules that define a part of another package. OPA lets
// `package scanflow.guards` define `layers.application`, which then belongs to the
// guard layers. Only the package of a guard may define its rules, and a package must
// be in one source.
func (r *Revision) foreignRules(files []string) mistake.Mistakes {
	packages := map[string]string{} // the first file of each
	for _, file := range files {
		if pkg := r.compiler.Modules[file].Package.Path.String(); packages[pkg] == "" {
			packages[pkg] = file
		}
	}
	origins := r.source.Origins()
	var out mistake.Mistakes
	for _, file := range files {
		m := r.compiler.Modules[file]
		reported := map[string]bool{}
		for _, rule := range m.Rules {
			place := definitionPath(m, rule)
			if len(place) == len(m.Package.Path)+1 && len(m.Package.Path) > 2 {
				continue // a plain name: OPA reports conflicts
			}
			wrong := r.foreignPackage(file, place, packages, origins)
			if name := rule.Head.Ref().GroundPrefix().String(); wrong != nil && !reported[name] {
				reported[name] = true
				wrong.Message = fmt.Sprintf("%s in package %s defines a part of package %s", name, withoutData(m.Package.Path.String()), wrong.Message)
				wrong.File, wrong.Line, wrong.Column = rule.Location.File, rule.Location.Row, rule.Location.Col
				out = append(out, *wrong)
			}
		}
	}
	return out
}

// definitionPath returns the path of a rule in data, up to the first variable.
func definitionPath(m *ast.Module, rule *ast.Rule) ast.Ref {
	return m.Package.Path.Extend(rule.Head.Ref().GroundPrefix())
}

// foreignPackage returns the package of which a rule at a path defines a part, as
// the message of a mistake, or nil.
func (r *Revision) foreignPackage(file string, place ast.Ref, packages, origins map[string]string) *mistake.Mistake {
	own := r.compiler.Modules[file].Package.Path
	if _, bound := entrypointPackage(own); !bound {
		if pkg, in := entrypointPackage(place); in && (len(place) > len(own)+1 || len(own) < 3) {
			return &mistake.Mistake{Message: pkg, Fix: "write it in a file of that package"}
		}
	}
	for n := len(own) + 1; n < len(place); n++ {
		pkg := place[:n]
		other := packages[pkg.String()]
		if other == "" {
			continue
		}
		if _, bound := entrypointPackage(pkg); bound || origins[file] != origins[other] {
			return &mistake.Mistake{Message: fmt.Sprintf("%s (%s)", withoutData(pkg.String()), other), Fix: "write it in that package's own source, or rename it"}
		}
	}
	return nil
}

var entrypointTrees = []ast.Ref{ast.MustParseRef("data.scanflow." + strategiesRoot), ast.MustParseRef("data.scanflow." + guardsRoot)}

// entrypointPackage returns the strategy or guard package that contains a path.
func entrypointPackage(place ast.Ref) (string, bool) {
	for _, tree := range entrypointTrees {
		if place.HasPrefix(tree) && len(place) > len(tree) {
			return withoutData(place[:len(tree)+1].String()), true
		}
	}
	return "", false
}

// testOverrides reports rules of tests that have the name of a policy rule. Tests
// are compiled with the policies, so such a rule would change the policy.
func (r *Revision) testOverrides(files []string) mistake.Mistakes {
	live := map[string]*ast.Rule{}
	for _, file := range files {
		if m := r.compiler.Modules[file]; !isTest(m) {
			for _, rule := range m.Rules {
				live[definitionPath(m, rule).String()] = rule
			}
		}
	}
	var out mistake.Mistakes
	reported := map[string]bool{}
	for _, file := range files {
		m := r.compiler.Modules[file]
		if !isTest(m) {
			continue
		}
		for _, rule := range m.Rules {
			place := definitionPath(m, rule)
			for n := len(m.Package.Path) + 1; n <= len(place); n++ {
				name := place[:n].String()
				if was := live[name]; was != nil && !reported[name] {
					reported[name] = true
					out = append(out, at(rule.Location, fmt.Sprintf("a rule of a test file adds to %s, which counts outside of tests (%s:%d)", withoutData(name), was.Location.File, was.Location.Row), "rename it, or give the tests a package of their own, with _test at its end"))
				}
			}
		}
	}
	return out
}

// maskedByTests reports entrypoints in files or packages that are named like tests
// and are therefore not evaluated.
func (r *Revision) maskedByTests(files []string) mistake.Mistakes {
	tested := map[string]bool{}
	for _, file := range files {
		if m := r.compiler.Modules[file]; slices.ContainsFunc(m.Rules, isTestRule) {
			tested[m.Package.Path.String()] = true
		}
	}
	var out mistake.Mistakes
	for _, file := range files {
		m := r.compiler.Modules[file]
		entries := entrypointsOf(m)
		if !isTest(m) || entries == nil || tested[m.Package.Path.String()] && isTestPackage(m) {
			continue
		}
		for _, rule := range m.Rules {
			bound := ruleName(rule)
			if !slices.Contains(entries, bound) {
				continue
			}
			calls, fix := "its file ends with _test.rego", "rename the file"
			if isTestPackage(m) {
				calls, fix = "its package ends with _test, and has no rule test_...", "rename the package"
			}
			out = append(out, at(rule.Location, fmt.Sprintf("%s in package %s binds nobody: %s, so that it is a test", bound, withoutData(m.Package.Path.String()), calls), fix+"; or rename the rule, if it is for tests"))
			break
		}
	}
	return out
}

// isTestPackage reports whether the name of a package ends with _test.
func isTestPackage(m *ast.Module) bool {
	last, ok := m.Package.Path[len(m.Package.Path)-1].Value.(ast.String)
	return ok && len(last) > len("_test") && last[len(last)-len("_test"):] == "_test"
}

// entrypointData reports data at the path of an entrypoint, which is not evaluated.
func (r *Revision) entrypointData(data map[string]any) mistake.Mistakes {
	var found source.DataPaths
	var walk func(v any, at, bound []string)
	walk = func(v any, at, bound []string) {
		obj, _ := v.(map[string]any)
		for _, k := range util.KeysSorted(obj) {
			below := append(slices.Clone(at), k)
			if slices.Contains(bound, k) && len(at) > 2 {
				found.Add(below)
				continue
			}
			walk(obj[k], below, bound)
		}
	}
	top, _ := data["scanflow"].(map[string]any)
	for _, root := range util.KeysSorted(entrypoints) {
		walk(top[root], []string{"scanflow", root}, entrypoints[root])
	}
	const fix = "write a rule in Rego"
	var out mistake.Mistakes
	for i, file := range source.FilesSetting(r.source.All(), found.First) {
		out = append(out, mistake.Mistake{File: file, Message: source.FormatPath(found.First[i]) + " is data, and binds nobody", Fix: fix})
	}
	if found.Others > 0 {
		out = append(out, mistake.Mistake{Message: fmt.Sprintf("%d more values of data bind nobody", found.Others), Fix: fix})
	}
	return out
}
