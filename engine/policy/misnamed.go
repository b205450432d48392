package policy

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/scanflow-k8s/scanflow/engine/mistake"
	"github.com/scanflow-k8s/scanflow/engine/policy/spelling"
)

// entrypoints maps each tree of packages to the rules that are evaluated in it.
var entrypoints = map[string][]string{strategiesRoot: {proposeRule}, guardsRoot: {denyRule, clampRule}}

const proposeRule = "propose"

// misnamed reports rules that look like entrypoints and are never evaluated: a
// propose, deny or clamp in the wrong package, or with a misspelt name. A package that a
// strategy or a guard refers to may use any rule names, unless its own name looks
// like a misspelt strategy or guard package.
func (r *Revision) misnamed(used map[*ast.Rule]bool) mistake.Mistakes {
	var others []*ast.Module
	for _, file := range slices.Sorted(maps.Keys(r.compiler.Modules)) {
		if m := r.compiler.Modules[file]; !isTest(m) {
			others = append(others, m)
		}
	}
	files := slices.Sorted(maps.Keys(r.compiler.Modules))
	out := slices.Concat(r.foreignRules(files), r.testOverrides(files), r.maskedByTests(files))
	r.unusedRules(others, used)
	for _, m := range others {
		out = append(out, misnamedRules(m, used)...)
	}
	return out
}

// usedRules returns the rules that are evaluated, and those that they depend on.
func (r *Revision) usedRules(t *readTracer) map[*ast.Rule]bool {
	used := map[*ast.Rule]bool{}
	for _, m := range r.compiler.Modules {
		if isTest(m) {
			continue
		}
		for _, rule := range m.Rules {
			if slices.Contains(entrypointsOf(m), ruleName(rule)) || remembers(m, rule) {
				t.collectDependencies(rule, used)
			}
		}
	}
	return used
}

// entrypointsOf returns the names of the rules that are evaluated in a package.
func entrypointsOf(m *ast.Module) []string {
	for root, names := range entrypoints {
		if _, ok := packageName(m.Package.Path, root); ok {
			return names
		}
	}
	return nil
}

func misnamedRules(m *ast.Module, used map[*ast.Rule]bool) mistake.Mistakes {
	entries, suggestion := entrypointsOf(m), suggestPackage(m.Package.Path)
	// A strategy or guard package without an entrypoint is reported as a whole.
	hasEntry := slices.ContainsFunc(m.Rules, func(rule *ast.Rule) bool { return slices.Contains(entries, ruleName(rule)) })
	reported := map[string]bool{}
	var out mistake.Mistakes
	for _, rule := range m.Rules {
		name := ruleName(rule)
		if reported[name] || slices.Contains(entries, name) || remembers(m, rule) || used[rule] && suggestion == "" {
			continue
		}
		var wrong *mistake.Mistake
		switch pkg := withoutData(m.Package.Path.String()); {
		case name == proposeRule || name == denyRule || name == clampRule && len(rule.Head.Args) == 0:
			tree := guardsRoot
			if name == proposeRule {
				tree = strategiesRoot
			}
			found := at(rule.Location, fmt.Sprintf("%s in package %s binds nobody: %s rules are asked in packages scanflow.%s.NAME alone", name, pkg, name, tree), "move it to such a package")
			if suggestion != "" {
				found.Fix = "did you mean package " + suggestion + "?"
			} else if entries == nil {
				found.Fix += ", or rename the rule; it may stay where a strategy or a guard refers to it"
			}
			wrong = &found
		case name == rememberRule && (entries != nil || suggestion != ""):
			found := at(rule.Location, fmt.Sprintf("%s in package %s has no effect: only a strategy remembers", name, pkg), "move it to a package scanflow.strategies.NAME, or rename it")
			if suggestion != "" {
				found.Fix = "did you mean package " + suggestion + "?"
			}
			wrong = &found
		case hasEntry && slices.Contains(entries, proposeRule) && similarName(name, rememberRule):
			found := at(rule.Location, fmt.Sprintf("%s in package %s has no effect, and nothing refers to it", rule.Head.Ref().GroundPrefix(), pkg), "did you mean remember? Else rename it, or take it out")
			wrong = &found
		case hasEntry:
			i := slices.IndexFunc(entries, func(entry string) bool { return similarName(name, entry) || lastName(rule) == entry })
			if i < 0 {
				continue
			}
			found := at(rule.Location, fmt.Sprintf("%s in package %s binds nobody, and nothing refers to it", rule.Head.Ref().GroundPrefix(), pkg), "did you mean "+entries[i]+"? Else rename it, or take it out")
			wrong = &found
		}
		if wrong != nil {
			reported[name] = true
			out = append(out, *wrong)
		}
	}
	return out
}

// ruleName returns the first element of a rule's name.
func ruleName(rule *ast.Rule) string {
	ref := rule.Head.Ref()
	if len(ref) == 0 {
		return ""
	}
	v, _ := ref[0].Value.(ast.Var)
	return string(v)
}

// lastName returns the last element of a rule's name, such as deny in `web.deny`.
func lastName(rule *ast.Rule) string {
	ref := rule.Head.Ref().GroundPrefix()
	if v, ok := ref[len(ref)-1].Value.(ast.String); ok && len(ref) > 1 {
		return string(v)
	}
	return ""
}

// synonyms are names that other tools use for deny.
var synonyms = []string{"denies", "denied", "denys", "denial", "denials", "allow", "allowed", "violation", "violations", "reject", "rejects", "rejected", "forbid", "forbidden", "block", "blocked"}

// unrelated are names that are similar to an entrypoint or to remember and mean something else.
var unrelated = []string{"lamp", "champ", "clam", "clap", "claim", "class", "clamp_to", "proposal", "proposals", "proposed", "purpose", "compose", "oppose", "expose", "den", "dent", "any", "dry", "member", "members"}

func similarName(name, entry string) bool {
	if name == entry || slices.Contains(unrelated, name) {
		return false
	}
	if lower := strings.ToLower(name); strings.HasPrefix(lower, entry+"_") || entry == "deny" && slices.Contains(synonyms, lower) {
		return true
	}
	if entry == clampRule && slices.Contains([]string{"clamped", "clamping", "clampdown"}, strings.ToLower(name)) {
		return true
	}
	return spelling.Similar(name, entry, len(entry)/3)
}

// suggestPackage returns the strategy or guard package that a similar name was
// probably meant to be, or "".
func suggestPackage(pkg ast.Ref) string {
	var parts []string
	for _, t := range pkg[1:] {
		s, _ := t.Value.(ast.String)
		parts = append(parts, string(s))
	}
	join := func(rest []string, root string) string {
		if len(rest) == 0 {
			rest = []string{"NAME"}
		}
		return strings.Join(append([]string{"scanflow", root}, rest...), ".")
	}
	if len(parts) > 1 && parts[0] == "data" {
		parts = parts[1:]
	}
	if root := similarRoot(parts[0]); root != "" { // such as guards.x
		return join(parts[1:], root)
	}
	if spelling.Similar(parts[0], "scanflow", 2) && len(parts) > 1 {
		if root := similarRoot(parts[1]); root != "" {
			if suggestion := join(parts[2:], root); suggestion != withoutData(pkg.String()) {
				return suggestion
			}
		}
	}
	return ""
}

// similarRoot returns the tree whose name is similar to an element of a package's name.
func similarRoot(part string) string {
	switch {
	case spelling.Similar(part, "strategies", 3):
		return strategiesRoot
	case spelling.Similar(part, "guards", 2):
		return guardsRoot
	}
	return ""
}
