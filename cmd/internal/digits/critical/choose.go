package critical

import (
	"cmp"
	"slices"
)

// Choose is the indexes of the scores above the threshold, the highest first, the
// first of equals first; most of them at most.
func Choose(scores []float64, threshold float64, most int) []int {
	var chosen []int
	for i, s := range scores {
		if s > threshold {
			chosen = append(chosen, i)
		}
	}
	slices.SortStableFunc(chosen, func(a, b int) int { return cmp.Compare(scores[b], scores[a]) })
	return chosen[:min(len(chosen), most)]
}
