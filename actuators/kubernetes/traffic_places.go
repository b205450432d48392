package kubernetes

import (
	"errors"
	"fmt"
	"slices"

	"github.com/scanflow-k8s/scanflow/engine/kubernetes/fieldpath"
)

// trafficPlace is one list of an object whose items share requests: a rule of a route.
type trafficPlace struct {
	what  string // for messages: "rule 1"
	items []backend
}

// backend is one item; weigh writes its weight.
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

// shiftPlaces gives weights to each place that has all the backends named; the
// others are left as they are.
func shiftPlaces(places []trafficPlace, weights map[string]int, normal func(map[string]int) map[string]int) ([]move, error) {
	var there []string
	for _, p := range places {
		there = append(there, p.names()...)
	}
	if err := unknown(weights, there); err != nil {
		return nil, err
	}
	var moves []move
	found := false
	for _, p := range places {
		names := p.names()
		if unknown(weights, names) != nil {
			continue
		}
		found = true
		slices.Sort(names)
		if len(slices.Compact(slices.Clone(names))) < len(names) {
			return nil, fmt.Errorf("%s has a backend twice, so its weight is not plain; give each a name of its own", p.what)
		}
		to := normal(shared(weights, names))
		for _, b := range p.items {
			if b.now != to[b.name] {
				b.weigh(to[b.name])
			}
			moves = append(moves, move{b.name, b.now, to[b.name]})
		}
	}
	if !found {
		return nil, errors.New("has no one rule with all of these backends; name those of one rule")
	}
	return moves, nil
}

func asTheyAre(weights map[string]int) map[string]int { return weights }

// weightIn is the whole number in a field.
func weightIn(item map[string]any, field string) (int, bool) {
	n, ok := fieldpath.Int(item, field)
	return int(n), ok
}
