package kubernetes

import (
	"errors"
	"fmt"
	"slices"

	"github.com/scanflow-k8s/scanflow/engine/kubernetes/fieldpath"
)

// trafficPlace is a list whose items share requests, such as the backends of a route's rule.
type trafficPlace struct {
	what  string // for messages: "rule 1"
	items []backend
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

// shiftPlaces sets the weights at each place that has all the named backends, and leaves the
// other places alone.
func shiftPlaces(places []trafficPlace, weights map[string]int, normal func(map[string]int) map[string]int) ([]move, error) {
	var there []string
	for _, p := range places {
		there = append(there, p.names()...)
	}
	if err := unknownBackends(weights, there); err != nil {
		return nil, err
	}
	var moves []move
	found := false
	for _, p := range places {
		names := p.names()
		if unknownBackends(weights, names) != nil {
			continue
		}
		found = true
		slices.Sort(names)
		if len(slices.Compact(slices.Clone(names))) < len(names) {
			return nil, fmt.Errorf("%s has a backend twice, so its weight is not plain; give each a name of its own", p.what)
		}
		to := normal(weightsOf(weights, names))
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

func unchanged(weights map[string]int) map[string]int { return weights }

func weightIn(item map[string]any, field string) (int, bool) {
	n, ok := fieldpath.Int(item, field)
	return int(n), ok
}
