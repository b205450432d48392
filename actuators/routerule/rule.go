package routerule

import (
	"fmt"
	"slices"
	"strings"
)

// Rule is one rule of a route, as far as the choice depends on it.
type Rule struct {
	Path string // of the rule in its object: "spec.rules[1]"
	Name string // "" where it has none
	// Backends share the rule's requests; Weights has the weight of each.
	Backends []string
	Weights  []int
	// Narrowed lists what the rule matches beside the path, such as headers. A rule that
	// matches these is meant for some of the requests only, such as those of testers.
	Narrowed []string
}

// has reports whether the rule has all of these backends.
func (r Rule) has(weights map[string]int) bool {
	for name := range weights {
		if !slices.Contains(r.Backends, name) {
			return false
		}
	}
	return len(r.Backends) > 0
}

// exact reports whether the rule has these backends and no other.
func (r Rule) exact(weights map[string]int) bool {
	for _, name := range r.Backends {
		if _, named := weights[name]; !named {
			return false
		}
	}
	return r.has(weights)
}

// twice returns a backend that the rule lists more than once, or "".
func (r Rule) twice() string {
	for i, name := range r.Backends {
		if slices.Contains(r.Backends[:i], name) {
			return name
		}
	}
	return ""
}

// sharesLike reports whether two rules with the same backends share requests alike.
func (r Rule) sharesLike(other Rule) bool {
	sum, otherSum := 0, 0
	mine, theirs := map[string]int{}, map[string]int{}
	for i, name := range r.Backends {
		mine[name] += r.Weights[i]
		sum += r.Weights[i]
	}
	for i, name := range other.Backends {
		theirs[name] += other.Weights[i]
		otherSum += other.Weights[i]
	}
	for name := range mine {
		if mine[name]*otherSum != theirs[name]*sum {
			return false
		}
	}
	return (sum == 0) == (otherSum == 0)
}

func (r Rule) String() string {
	text := r.Path
	if r.Name != "" {
		text += " " + r.Name
	}
	about := "no backends"
	if len(r.Backends) > 0 {
		about = strings.Join(r.Backends, ", ")
	}
	if len(r.Narrowed) > 0 {
		about += "; matches " + strings.Join(r.Narrowed, ", ")
	}
	return fmt.Sprintf("%s (%s)", text, about)
}

func list(rules []Rule) string {
	out := make([]string, len(rules))
	for i, r := range rules {
		out[i] = r.String()
	}
	return strings.Join(out, "; ")
}
