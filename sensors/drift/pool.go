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

// minExpected is the expected count of the smaller sample.
func (b *bin) minExpected() float64 { return slices.Min(b.expected) }

// maxChance is the probability below which a count is not merged for chance.
const maxChance = 1e-6

// canStandAlone reports whether a bin need not be pooled: its expected count is large complete,
// or the observed count exceeds it by more than chance explains. Pooling the latter would hide
// a drift into bins that were empty before. With 256 bins and no drift, this affects one bin
// in one of 4,000 tests.
func (b *bin) canStandAlone() bool {
	if b.minExpected() >= MinExpected {
		return true
	}
	for i, n := range b.observed {
		if n >= MinExpected && (distuv.Poisson{Lambda: b.expected[i]}).Survival(n-1) < maxChance {
			return true
		}
	}
	return false
}

// poolNeighbours merges each bin that can't stand alone with the following ones, and the last
// one with the one before.
func poolNeighbours(bins []bin) []bin {
	var out []bin
	complete := true
	for _, b := range bins {
		if complete {
			out = append(out, b)
		} else {
			out[len(out)-1].add(b)
		}
		complete = out[len(out)-1].canStandAlone()
	}
	if last := len(out) - 1; !complete && last > 0 {
		out[last-1].add(out[last])
		out = out[:last]
	}
	return out
}

// poolRare merges all bins that can't stand alone into one, together with as many of the
// rarest others as needed. Equally rare bins are merged together, so that the result does not
// depend on their order.
func poolRare(bins []bin) []bin {
	var pooled *bin
	var kept []bin
	for _, b := range bins {
		switch {
		case b.canStandAlone():
			kept = append(kept, b)
		case pooled == nil:
			pooled = &b
		default:
			pooled.add(b)
		}
	}
	if pooled == nil {
		return kept
	}
	slices.SortFunc(kept, func(a, b bin) int { return cmp.Compare(a.minExpected(), b.minExpected()) })
	merged := 0
	for merged < len(kept) && (!pooled.canStandAlone() || merged > 0 && kept[merged].minExpected() == kept[merged-1].minExpected()) {
		pooled.add(kept[merged])
		merged++
	}
	return append(kept[merged:], *pooled)
}
