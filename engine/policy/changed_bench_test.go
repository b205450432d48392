package policy

import (
	"context"
	"fmt"
	"testing"
	"time"
)

// BenchmarkChangedStrategies compares, for some of ten strategies whose inputs changed, their
// own queries with the query of all ten: below 1 their own cost less.
func BenchmarkChangedStrategies(b *testing.B) {
	ctx := context.Background()
	rev := compiled(b, benchFiles(), Options{})
	names := rev.Strategies()
	whole, _ := rev.queries.group(names)
	for _, some := range []int{1, 2, 4, 6, 8, 9, 10} {
		b.Run(fmt.Sprint(some), func(b *testing.B) {
			var spread []string // three of the ten propose, which costs more
			for i := range some {
				spread = append(spread, names[i*len(names)/some])
			}
			doc, apart := benchDocument(), whole.only(spread)
			evaluate := func(g *group) func() {
				return func() {
					for range 10 {
						doc.Now = doc.Now.Add(time.Millisecond)
						input, err := rev.inputs.input(doc)
						if err != nil {
							b.Error(err)
						}
						if got := rev.evaluateGroup(ctx, g, nil, doc, input); len(got.Problems) > 0 {
							b.Error(got.Problems)
						}
					}
				}
			}
			var p pair
			for b.Loop() {
				p.turn(evaluate(apart), evaluate(whole))
			}
			p.report(b, "apart", "whole", "ratio", 10)
		})
	}
}
