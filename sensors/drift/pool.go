package drift

import (
	"cmp"
	"slices"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/stat/distuv"
)

// bin is one bin of the test, with a count for each sample.
type bin struct{ observed, expected []float64 }

func (b *bin) add(c bin) {
	floats.Add(b.observed, c.observed)
	floats.Add(b.expected, c.expected)
}

// least is what is expected of the smaller sample.
func (b *bin) least() float64 { return slices.Min(b.expected) }

// hardlyChance is how improbable a count must be for its bin to be kept apart.
const hardlyChance = 1e-6

// enough tells whether a bin may stand alone: enough is expected in it, or so much
// more was counted than expected that it is not by chance. To pool such a one would
// hide a drift into bins where nothing was before; of 256 bins that fit, one is
// taken for such in one test of 4,000.
func (b *bin) enough() bool {
	if b.least() >= LeastExpected {
		return true
	}
	for i, n := range b.observed {
		if n >= LeastExpected && (distuv.Poisson{Lambda: b.expected[i]}).Survival(n-1) < hardlyChance {
			return true
		}
	}
	return false
}

// poolNeighbours puts each bin that can't stand alone together with the ones after
// it, and the last with the one before.
func poolNeighbours(bins []bin) []bin {
	var out []bin
	enough := true
	for _, b := range bins {
		if enough {
			out = append(out, b)
		} else {
			out[len(out)-1].add(b)
		}
		enough = out[len(out)-1].enough()
	}
	if last := len(out) - 1; !enough && last > 0 {
		out[last-1].add(out[last])
		out = out[:last]
	}
	return out
}

// poolRare puts all bins that can't stand alone into one, with as many of the rarest
// others as it takes. Bins that are equally rare go together, so that the outcome
// does not depend on their order.
func poolRare(bins []bin) []bin {
	var rest *bin
	var kept []bin
	for _, b := range bins {
		switch {
		case b.enough():
			kept = append(kept, b)
		case rest == nil:
			rest = &b
		default:
			rest.add(b)
		}
	}
	if rest == nil {
		return kept
	}
	slices.SortFunc(kept, func(a, b bin) int { return cmp.Compare(a.least(), b.least()) })
	taken := 0
	for taken < len(kept) && (!rest.enough() || taken > 0 && kept[taken].least() == kept[taken-1].least()) {
		rest.add(kept[taken])
		taken++
	}
	return append(kept[taken:], *rest)
}
