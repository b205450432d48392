package kubernetes

import (
	"maps"
	"slices"

	"github.com/scanflow-k8s/scanflow/actuators/routerule"
	"github.com/scanflow-k8s/scanflow/engine/kubernetes/fieldpath"
)

// trafficPlace is a list whose items share requests, such as the backends of a route's rule.
type trafficPlace struct {
	path     string // "spec.rules[0]"
	name     string // the rule's; "" where it has none
	narrowed []string
	items    []backend
}

// backend is one item; weigh sets its weight.
type backend struct {
	name  string
	now   int
	weigh func(int)
}

func (p trafficPlace) names() []string {
	out := make([]string, len(p.items))
	for i, b := range p.items {
		out[i] = b.name
	}
	return out
}

func (p trafficPlace) rule() routerule.Rule {
	out := routerule.Rule{Path: p.path, Name: p.name, Backends: p.names(), Narrowed: p.narrowed}
	for _, b := range p.items {
		out.Weights = append(out.Weights, b.now)
	}
	return out
}

// shift sets the weights of the place's backends; one that is not named gets 0. normal scales
// the weights as the kind requires.
func (p trafficPlace) shift(weights map[string]int, normal func(map[string]int) map[string]int) []move {
	var moves []move
	to := normal(weightsOf(weights, p.names()))
	for _, b := range p.items {
		if b.now != to[b.name] {
			b.weigh(to[b.name])
		}
		moves = append(moves, move{backend: b.name, from: b.now, to: to[b.name]})
	}
	return moves
}

// shiftRules sets the weights in the rules that routerule.Choose chooses. Where there are
// other rules, the moves name the place.
func shiftRules(places []trafficPlace, rule string, weights map[string]int, normal func(map[string]int) map[string]int) ([]move, error) {
	rules := make([]routerule.Rule, len(places))
	for i, p := range places {
		rules[i] = p.rule()
	}
	chosen, err := routerule.Choose(rules, rule, weights)
	if err != nil {
		return nil, err
	}
	var moves []move
	for _, i := range chosen {
		for _, m := range places[i].shift(weights, normal) {
			if len(places) > 1 {
				m.place = places[i].path
			}
			moves = append(moves, m)
		}
	}
	return moves, nil
}

func unchanged(weights map[string]int) map[string]int { return weights }

func weightIn(item map[string]any, field string) (int, bool) {
	n, ok := fieldpath.Int(item, field)
	return int(n), ok
}

// narrowedBy lists what the matches of a rule require beside what is allowed, in the order of
// the matches. Any field that is not known to leave most requests in counts.
func narrowedBy(matches []map[string]any, wide ...string) []string {
	var out []string
	for _, match := range matches {
		for _, field := range slices.Sorted(maps.Keys(match)) {
			if !slices.Contains(wide, field) && !isEmpty(match[field]) && !slices.Contains(out, field) {
				out = append(out, field)
			}
		}
	}
	return out
}

func isEmpty(value any) bool {
	switch v := value.(type) {
	case string:
		return v == ""
	case []any:
		return len(v) == 0
	case map[string]any:
		return len(v) == 0
	}
	return value == nil
}
