package policy

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/scanflow-k8s/scanflow/engine/mistake"
)

// binding are the rules that bind, by the tree in which they do.
var binding = map[string]string{strategiesRoot: "propose", guardsRoot: "deny"}

// misnamed finds rules that look as if they bound somebody and bind nobody: a propose or
// a deny in another package than those asked, or one that is misspelt. A package that is
// called by a strategy or a guard may have rules of any name; one that is nearly called
// like those asked may not.
func (r *Revision) misnamed(t *tracer) mistake.Mistakes {
	used := map[*ast.Rule]bool{}
	var others []*ast.Module
	for _, file := range slices.Sorted(maps.Keys(r.compiler.Modules)) {
		m := r.compiler.Modules[file]
		if isTest(m) {
			continue
		}
		others = append(others, m)
		for _, rule := range m.Rules {
			if name := boundName(m); name != "" && isRule(rule, name) {
				t.reaches(rule, used)
			}
		}
	}
	files := slices.Sorted(maps.Keys(r.compiler.Modules))
	out := slices.Concat(r.reaching(files), r.intoLive(files), r.asTests(files))
	r.unused(others, used)
	for _, m := range others {
		out = append(out, misnamedIn(m, used)...)
	}
	return out
}

// boundName is the rule of a package that is asked; "" for a package that is not.
func boundName(m *ast.Module) string {
	for root, name := range binding {
		if _, ok := under(m.Package.Path, root); ok {
			return name
		}
	}
	return ""
}

func misnamedIn(m *ast.Module, used map[*ast.Rule]bool) mistake.Mistakes {
	bound, meant := boundName(m), treeMeant(m.Package.Path)
	// A package of the trees that has none is said to propose nothing, or to guard nothing.
	binds := slices.ContainsFunc(m.Rules, func(rule *ast.Rule) bool { return bound != "" && ruleName(rule) == bound })
	said := map[string]bool{}
	var out mistake.Mistakes
	for _, rule := range m.Rules {
		name := ruleName(rule)
		if said[name] || name == bound || used[rule] && meant == "" {
			continue
		}
		var wrong *mistake.Mistake
		switch pkg := short(m.Package.Path.String()); {
		case name == "propose" || name == "deny":
			tree := guardsRoot
			if name == "propose" {
				tree = strategiesRoot
			}
			found := at(rule.Location, fmt.Sprintf("%s in package %s binds nobody: %s rules are asked in packages scanflow.%s.NAME alone", name, pkg, name, tree), "move it to such a package")
			if meant != "" {
				found.Fix = "did you mean package " + meant + "?"
			} else if bound == "" {
				found.Fix += ", or rename the rule; it may stay where a strategy or a guard refers to it"
			}
			wrong = &found
		case binds && (nearName(name, bound) || lastName(rule) == bound):
			found := at(rule.Location, fmt.Sprintf("%s in package %s binds nobody, and nothing refers to it", rule.Head.Ref().GroundPrefix(), pkg), "did you mean "+bound+"? Else rename it, or take it out")
			wrong = &found
		}
		if wrong != nil {
			said[name] = true
			out = append(out, *wrong)
		}
	}
	return out
}

// ruleName is the first part of a rule's name.
func ruleName(rule *ast.Rule) string {
	ref := rule.Head.Ref()
	if len(ref) == 0 {
		return ""
	}
	v, _ := ref[0].Value.(ast.Var)
	return string(v)
}

// lastName is the last part of a rule's name, as of `web.deny`.
func lastName(rule *ast.Rule) string {
	ref := rule.Head.Ref().GroundPrefix()
	if v, ok := ref[len(ref)-1].Value.(ast.String); ok && len(ref) > 1 {
		return string(v)
	}
	return ""
}

// alike are names by which other tools, and people, call what denies.
var alike = []string{"denies", "denied", "denys", "denial", "denials", "allow", "allowed", "violation", "violations", "reject", "rejects", "rejected", "forbid", "forbidden", "block", "blocked"}

// notMeant are names that are near propose or deny and say something else.
var notMeant = []string{"proposal", "proposals", "proposed", "purpose", "compose", "oppose", "expose", "den", "dent", "any", "dry"}

func nearName(name, bound string) bool {
	if name == bound || slices.Contains(notMeant, name) {
		return false
	}
	if lower := strings.ToLower(name); strings.HasPrefix(lower, bound+"_") || bound == "deny" && slices.Contains(alike, lower) {
		return true
	}
	return near(name, bound, len(bound)/3)
}

// treeMeant is the package that a name nearly is: one of those asked. It is "" where no
// such package can be meant.
func treeMeant(pkg ast.Ref) string {
	var parts []string
	for _, t := range pkg[1:] {
		s, _ := t.Value.(ast.String)
		parts = append(parts, string(s))
	}
	asked := func(rest []string, root string) string {
		if len(rest) == 0 {
			rest = []string{"NAME"}
		}
		return strings.Join(append([]string{"scanflow", root}, rest...), ".")
	}
	if len(parts) > 1 && parts[0] == "data" {
		parts = parts[1:]
	}
	if root := nearTree(parts[0]); root != "" { // as guards.x
		return asked(parts[1:], root)
	}
	if near(parts[0], "scanflow", 2) && len(parts) > 1 {
		if root := nearTree(parts[1]); root != "" {
			if meant := asked(parts[2:], root); meant != short(pkg.String()) {
				return meant
			}
		}
	}
	return ""
}

// nearTree is the tree that a part of a package's name nearly is.
func nearTree(part string) string {
	switch {
	case near(part, "strategies", 3):
		return strategiesRoot
	case near(part, "guards", 2):
		return guardsRoot
	}
	return ""
}

// near reports whether two words are the same but for so many letters, or for case.
func near(a, b string, most int) bool {
	a = strings.ToLower(a)
	if len(a) > len(b)+most || len(b) > len(a)+most {
		return false
	}
	var before2 []int // the row before the last, for two letters that changed places
	before := make([]int, len(b)+1)
	for j := range before {
		before[j] = j
	}
	for i := range len(a) {
		row := make([]int, len(b)+1)
		row[0] = i + 1
		for j := range len(b) {
			cost := before[j]
			if a[i] != b[j] {
				cost++
			}
			row[j+1] = min(cost, before[j+1]+1, row[j]+1)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				row[j+1] = min(row[j+1], before2[j-1]+1)
			}
		}
		before2, before = before, row
	}
	return before[len(b)] <= most
}
