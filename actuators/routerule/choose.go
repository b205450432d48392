package routerule

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// ErrNoBackend is the error for backends that no rule has.
var ErrNoBackend = errors.New("has no such backend")

// Choose returns the indexes of the rules whose weights are to be set. A rule that is named
// has all of these backends, and gives nothing to its others. Without a name, it is each rule
// that has exactly these backends, unless it is narrowed; several of them have to share
// requests alike, since rules that differ are meant to. The errors continue a sentence that
// begins with the route.
func Choose(rules []Rule, name string, weights map[string]int) ([]int, error) {
	if name != "" {
		return chooseNamed(rules, name, weights)
	}
	var there []string
	for _, r := range rules {
		there = append(there, r.Backends...)
	}
	if err := CheckBackends(weights, there); err != nil {
		return nil, err
	}
	var chosen []int
	for i, r := range rules {
		if len(r.Narrowed) == 0 && r.exact(weights) {
			chosen = append(chosen, i)
		}
	}
	if len(chosen) == 0 {
		return nil, noneChosen(rules, weights)
	}
	for _, i := range chosen {
		if name := rules[i].twice(); name != "" {
			return nil, twice(rules[i], name)
		}
		if !rules[i].sharesLike(rules[chosen[0]]) {
			var alike []Rule
			for _, j := range chosen {
				alike = append(alike, rules[j])
			}
			return nil, fmt.Errorf("has %d rules with these backends, and they share requests differently: %s; %s, or give them the same weights", len(alike), list(alike), nameOne(alike))
		}
	}
	return chosen, nil
}

func chooseNamed(rules []Rule, name string, weights map[string]int) ([]int, error) {
	var found []int
	for i, r := range rules {
		if r.Name == name {
			found = append(found, i)
		}
	}
	switch {
	case len(found) == 0 && len(rules) == 0:
		return nil, fmt.Errorf("has no rule %q, and no other", name)
	case len(found) == 0:
		return nil, fmt.Errorf("has no rule %q; it has %s", name, list(rules))
	case len(found) > 1:
		return nil, fmt.Errorf("has %d rules of the name %q: %s and %s; give each a name of its own", len(found), name, rules[found[0]].Path, rules[found[1]].Path)
	}
	rule := rules[found[0]]
	if err := CheckBackends(weights, rule.Backends); err != nil {
		return nil, fmt.Errorf("rule %q %w", name, err)
	}
	if name := rule.twice(); name != "" {
		return nil, twice(rule, name)
	}
	return found, nil
}

// noneChosen explains what keeps each rule that has the backends from being chosen.
func noneChosen(rules []Rule, weights map[string]int) error {
	var narrowed, wider []Rule
	for _, r := range rules {
		switch {
		case !r.has(weights):
		case r.exact(weights):
			narrowed = append(narrowed, r)
		default:
			wider = append(wider, r)
		}
	}
	switch {
	case len(wider) > 0:
		return fmt.Errorf("has no rule with exactly these backends; it has %s; name each backend of the rule in weights, with 0 for one that gets nothing, or %s", list(append(wider, narrowed...)), nameOne(append(wider, narrowed...)))
	case len(narrowed) > 0:
		return fmt.Errorf("has these backends only in a rule for some of the requests: %s; %s", list(narrowed), nameOne(narrowed))
	}
	return fmt.Errorf("has no one rule with all of these backends; it has %s; name those of one rule", list(rules))
}

// nameOne says how to choose one of these rules by its name.
func nameOne(rules []Rule) string {
	var names, unnamed []string
	for _, r := range rules {
		if r.Name == "" {
			unnamed = append(unnamed, r.Path+".name")
		} else {
			names = append(names, r.Name)
		}
	}
	switch {
	case len(names) == 0:
		return "to choose one give it a name (" + strings.Join(unnamed, " or ") + "), and write that in rule"
	case len(unnamed) == 0:
		return "write the one meant in rule: " + strings.Join(names, " or ")
	}
	return fmt.Sprintf("write the one meant in rule: %s, or a name that you give it (%s)", strings.Join(names, " or "), strings.Join(unnamed, " or "))
}

func twice(r Rule, name string) error {
	return fmt.Errorf("has the backend %s twice in %s, so its weight is ambiguous; give each a name of its own", name, r.Path)
}

// CheckBackends returns an error for backends that do not exist.
func CheckBackends(weights map[string]int, there []string) error {
	var missing []string
	for _, name := range slices.Sorted(maps.Keys(weights)) {
		if !slices.Contains(there, name) {
			missing = append(missing, name)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	have := "none"
	if len(there) > 0 {
		there = slices.Clone(there)
		slices.Sort(there)
		have = strings.Join(slices.Compact(there), ", ")
	}
	return fmt.Errorf("%w: %s; it has: %s", ErrNoBackend, strings.Join(missing, ", "), have)
}
