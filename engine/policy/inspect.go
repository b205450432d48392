package policy

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/mistake"
)

// strategy is the static description of one strategy.
type strategy struct {
	pkg ast.Ref
	// reads are those of all rules, proposing those of the propose rules.
	reads, proposing *reads
	rules            []*ast.Rule
	remember         []*ast.Rule
}

// guardFile is the package of a guard with one of its files, and the names of its rules
// that are evaluated.
type guardFile struct {
	pkg   ast.Ref
	file  string
	rules []string
}

func (g guardFile) with(pkg ast.Ref, file, rule string) guardFile {
	if !slices.Contains(g.rules, rule) {
		g.rules = append(g.rules, rule)
		slices.Sort(g.rules) // clamp, deny
	}
	return guardFile{pkg, file, g.rules}
}

// isGuardRule reports whether a rule of a guard is one that is evaluated.
func isGuardRule(rule *ast.Rule) bool {
	return definesRule(rule, denyRule) || definesRule(rule, clampRule)
}

// inspect finds the strategies and guards in the compiled modules and checks
// their rules. data is the content of the data files.
func (r *Revision) inspect(data map[string]any) mistake.Mistakes {
	var mistakes mistake.Mistakes
	t := newTracer(r.compiler)
	used := r.usedRules(t)
	tested := map[string]bool{}
	guards, guardsRead := map[string]guardFile{}, newReads()
	left := maxKnownAll
	for _, file := range slices.Sorted(maps.Keys(r.compiler.Modules)) {
		m := r.compiler.Modules[file]
		if !isTest(m) {
			undefined, warnings := r.undefinedRefs(m, data, used)
			mistakes, r.unused = append(mistakes, undefined...), append(r.unused, warnings...)
		}
		if isTest(m) {
			if slices.ContainsFunc(m.Rules, isTestRule) {
				tested[strings.TrimSuffix(m.Package.Path.String(), "_test")] = true
			}
			continue
		}
		if name, ok := packageName(m.Package.Path, strategiesRoot); ok {
			s := r.strategies[name]
			if s == nil {
				s = &strategy{pkg: m.Package.Path, reads: newReads(), proposing: newReads()}
				r.strategies[name] = s
			}
			for _, rule := range m.Rules {
				if definesRule(rule, "propose") {
					read := t.readsOf(rule, nil, nil)
					r.findProposal(rule, &left)
					s.reads.merge(read)
					s.proposing.merge(read)
					s.rules = append(s.rules, rule)
					mistakes = append(mistakes, r.checkPropose(rule, read)...)
					mistakes = append(mistakes, r.placeholders(rule)...)
					r.warnings = append(r.warnings, missingMetadata(rule, r.compiler.GetAnnotationSet())...)
				}
				if definesRule(rule, rememberRule) {
					s.reads.merge(t.readsOf(rule, nil, nil))
					s.remember = append(s.remember, rule)
					mistakes = append(mistakes, checkRemember(rule)...)
				}
			}
		}
		if name, ok := packageName(m.Package.Path, guardsRoot); ok {
			if !slices.ContainsFunc(m.Rules, isGuardRule) {
				mistakes = append(mistakes, at(m.Package.Location, "a guard without a deny or clamp rule guards nothing", "write `deny contains reason if {...}`, or move the package out of scanflow.guards"))
			}
			for _, rule := range m.Rules {
				if isGuardRule(rule) {
					read := t.readsOf(rule, nil, nil)
					g, wrong := newGuardRule(name, rule, read, r.compiler.GetAnnotationSet().Chain(rule))
					mistakes = append(mistakes, wrong...)
					mistakes = append(mistakes, r.placeholders(rule)...)
					guards[name] = guards[name].with(m.Package.Path, file, ruleName(rule))
					guardsRead.merge(read)
					r.guardRules = append(r.guardRules, g)
				}
			}
			mistakes = append(mistakes, checkScopes(m)...)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(r.strategies)) {
		s := r.strategies[name]
		if len(s.rules) == 0 {
			r.warnings = append(r.warnings, mistake.Mistake{Message: fmt.Sprintf("package %s proposes nothing", s.pkg), Fix: "add `propose contains proposal if {...}`, or move it out of scanflow.strategies"})
			delete(r.strategies, name)
			continue
		}
		r.warnUntested(s.pkg, tested)
	}
	for _, name := range slices.Sorted(maps.Keys(guards)) {
		from := r.source.PartOf(guards[name].file)
		if !from.Shipped {
			r.warnUntested(guards[name].pkg, tested)
		}
		r.guards = append(r.guards, guard{name: name, pkg: guards[name].pkg, from: from.Origin, rules: guards[name].rules})
	}
	r.unreadRemember(guardsRead)
	r.neverRemembered()
	mistakes = slices.Concat(mistakes, r.misnamed(used), r.entrypointData(data))
	r.unusedData(data)
	r.danglingLinks()
	r.unused = sorted(r.unused)
	r.warnings = sorted(append(r.warnings, r.unused...))
	return mistakes
}

func (r *Revision) warnUntested(pkg ast.Ref, tested map[string]bool) {
	if !tested[pkg.String()] {
		r.warnings = append(r.warnings, mistake.Mistake{Message: fmt.Sprintf("package %s has no tests", pkg), Fix: "add rules test_... in a package of that name with _test at its end"})
	}
}

// definesRule reports whether a rule defines the name, in any form.
func definesRule(rule *ast.Rule, name string) bool {
	ref := rule.Head.Ref()
	return len(ref) > 0 && ref[0].Value.Compare(ast.Var(name)) == 0
}

// isSetRule reports whether a rule has the form `propose contains p`, and not
// `propose := p`, `propose.a contains p` or any other.
func isSetRule(rule *ast.Rule) bool {
	return !rule.Default && rule.Head.Key != nil && len(rule.Head.Ref()) == 1 && rule.Head.DocKind() == ast.PartialSetDoc
}

func isTestRule(rule *ast.Rule) bool {
	ref := rule.Head.Ref()
	v, ok := ref[0].Value.(ast.Var)
	return ok && (strings.HasPrefix(string(v), "test_") || strings.HasPrefix(string(v), "todo_test_"))
}

// missingMetadata warns about METADATA that a propose rule lacks.
func missingMetadata(rule *ast.Rule, annotations *ast.AnnotationSet) mistake.Mistakes {
	var title, description, layer bool
	for _, a := range annotations.GetRuleScope(rule) {
		title = title || a.Title != ""
		description = description || a.Description != ""
		layer = layer || a.Custom["layer"] != nil
	}
	var lacks []string
	for _, l := range []struct {
		name string
		has  bool
	}{{"title", title}, {"description", description}, {"custom.layer", layer}} {
		if !l.has {
			lacks = append(lacks, l.name)
		}
	}
	if len(lacks) == 0 {
		return nil
	}
	return mistake.Mistakes{at(rule.Location, "the METADATA of this propose rule has no "+strings.Join(lacks, ", "), "write it in a # METADATA comment above the rule")}
}

// Reads returns the parts of a document that the strategies read, taken
// together. Unknown strategies read nothing.
func (r *Revision) Reads(strategies []string) engine.Reads {
	all, proposing := newReads(), newReads()
	for _, name := range strategies {
		if s := r.strategies[name]; s != nil {
			all.merge(s.reads)
			proposing.merge(s.proposing)
		}
	}
	out := all.toEngine()
	out.ForTrigger = proposing.trigger
	return out
}
