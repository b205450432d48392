package drift_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/stat"
	"gonum.org/v1/gonum/stat/distuv"
	"pgregory.net/rapid"

	"github.com/scanflow-k8s/scanflow/sensors/drift"
)

const floor = 0.0001

func TestClosedForms(t *testing.T) {
	halves, quarter := []float64{0.5, 0.5}, []float64{0.25, 0.75}
	require.InDelta(t, math.Log(3)/4, drift.PSI(halves, quarter, 1e-4), 1e-12)
	require.InDelta(t, math.Log(3)/4, drift.PSI([]float64{0.5, 0, 0.5}, []float64{0.25, 0, 0.75}, 1e-4), 1e-12, "a bin empty in both")

	// One bin empty: floored to f and scaled by 1/(1+f).
	f := 0.001
	q := []float64{1 / (1 + f), f / (1 + f)}
	want := (0.5-q[0])*math.Log(0.5/q[0]) + (0.5-q[1])*math.Log(0.5/q[1])
	require.InDelta(t, want, drift.PSI(halves, []float64{1, 0}, f), 1e-12)

	// H(3/4, 1/4) - H(1/2, 1/2) / 2, in bits.
	divergence := 0.75*math.Log2(4.0/3) + 0.25*2 - 0.5
	require.InDelta(t, math.Sqrt(divergence), drift.JensenShannon([]float64{1, 0}, halves), 1e-12)
	require.InDelta(t, 1, drift.JensenShannon([]float64{0.5, 0.5, 0, 0}, []float64{0, 0, 0.1, 0.9}), 1e-12)

	require.InDelta(t, 0.25, drift.KolmogorovSmirnov(halves, quarter), 1e-12)
	require.InDelta(t, 1, drift.KolmogorovSmirnov([]float64{1, 0, 0}, []float64{0, 0, 1}), 1e-12)
	require.InDelta(t, 0.5, drift.KolmogorovSmirnov([]float64{0.5, 0, 0.5}, []float64{0, 1, 0}), 1e-12)
}

func TestChiSquareOfKnownExperiments(t *testing.T) {
	// Mendel's peas, by shape and colour, expected as 9:3:3:1.
	test, ok := drift.GoodnessOfFit([]float64{315, 108, 101, 32}, []float64{9. / 16, 3. / 16, 3. / 16, 1. / 16}, false)
	require.True(t, ok)
	require.Equal(t, 3, test.Freedom)
	require.InDelta(t, 0.470024, test.Statistic, 1e-6)
	require.InDelta(t, 0.925426, test.PValue, 1e-6)

	// A 2x2 table: N(ad-bc)^2 / ((a+b)(c+d)(a+c)(b+d)). With one degree of freedom the p-value
	// is erfc(sqrt(x/2)).
	test, ok = drift.Homogeneity([]float64{20, 30}, []float64{30, 20}, true)
	require.True(t, ok)
	require.InDelta(t, 4, test.Statistic, 1e-12)
	require.InDelta(t, math.Erfc(math.Sqrt2), test.PValue, 1e-9)
}

func TestBinsOfTheTestArePooled(t *testing.T) {
	for name, c := range map[string]struct {
		current, reference []float64
		ordered            bool
		freedom            int // 0: no test
	}{
		"enough in each":                    {[]float64{10, 10, 10}, []float64{10, 10, 10}, true, 2},
		"rare one at the end":               {[]float64{10, 10, 1}, []float64{10, 10, 1}, true, 1},
		"rare one at the start":             {[]float64{1, 10, 10}, []float64{1, 10, 10}, true, 1},
		"rare neighbours make one":          {[]float64{3, 3, 10}, []float64{3, 3, 10}, true, 1},
		"empty in both":                     {[]float64{10, 0, 10}, []float64{10, 0, 10}, true, 1},
		"rare labels make one":              {[]float64{3, 20, 3, 10}, []float64{3, 20, 3, 10}, false, 2},
		"a rare label takes the next":       {[]float64{1, 20, 10}, []float64{1, 20, 10}, false, 1},
		"a rare label takes all equal ones": {[]float64{1, 10, 20, 10}, []float64{1, 10, 20, 10}, false, 1},
		"one bin":                           {[]float64{10}, []float64{20}, false, 0},
		"too few":                           {[]float64{4, 4}, []float64{400, 400}, true, 0},
		"too few of labels":                 {[]float64{4, 4}, []float64{400, 400}, false, 0},
		"a bin that is new":                 {[]float64{40, 40, 40}, []float64{4e6, 4e6, 0}, true, 2},
		"a label that is new":               {[]float64{40, 40, 40}, []float64{4e6, 4e6, 0}, false, 2},
		"a few in a bin that is new":        {[]float64{40, 50, 4}, []float64{4e6, 5e6, 0}, false, 1},
	} {
		t.Run(name, func(t *testing.T) {
			test, ok := drift.Homogeneity(c.current, c.reference, c.ordered)
			require.Equal(t, c.freedom > 0, ok)
			require.Equal(t, c.freedom, test.Freedom)
		})
	}
}

// Without any drift, one test in twenty is below 0.05, and the index has the documented mean.
func TestWithoutDriftTheFiguresAreThoseOfChance(t *testing.T) {
	const rounds, n, m = 4000, 300, 900
	shares := []float64{0.05, 0.1, 0.15, 0.3, 0.4}
	draw := distuv.NewCategorical(shares, rand.New(rand.NewPCG(1, 2)))
	sample := func(size int) []float64 {
		out := make([]float64, len(shares))
		for range size {
			out[int(draw.Rand())]++
		}
		return out
	}
	var alarms, fits, psi float64
	for range rounds {
		current, reference := sample(n), sample(m)
		two := drift.Compare(current, reference, drift.Options{Floor: floor})
		one := drift.Compare(current, shares, drift.Options{Floor: floor, Exact: true})
		psi += two.PSI / rounds
		if two.Chi2.PValue < 0.05 {
			alarms++
		}
		if one.Chi2.PValue < 0.05 {
			fits++
		}
	}
	require.InDelta(t, 0.05, alarms/rounds, 0.015)
	require.InDelta(t, 0.05, fits/rounds, 0.015)
	require.InEpsilon(t, 4*(1.0/n+1.0/m), psi, 0.1)
}

// Pooling keeps the test valid if most bins are rare.
func TestRareBinsRaiseNoFalseAlarms(t *testing.T) {
	const rounds, n = 4000, 200
	shares := make([]float64, 60)
	for i := range shares {
		shares[i] = math.Pow(0.8, float64(i))
	}
	shares = drift.Shares(shares)
	draw := distuv.NewCategorical(shares, rand.New(rand.NewPCG(3, 4)))
	for _, ordered := range []bool{true, false} {
		alarms := 0.0
		for range rounds {
			current := make([]float64, len(shares))
			for range n {
				current[int(draw.Rand())]++
			}
			c := drift.Compare(current, shares, drift.Options{Ordered: ordered, Exact: true, Floor: 1e-9})
			if c.Chi2.PValue < 0.01 {
				alarms++
			}
		}
		require.InDelta(t, 0.01, alarms/rounds, 0.006, "ordered: %t", ordered)
	}
}

// pairs draws two distributions over the same bins, some of them empty.
func pairs(t *rapid.T) (p, q []float64) {
	n := rapid.IntRange(1, 40).Draw(t, "bins")
	count := rapid.OneOf(rapid.Just(0.0), rapid.Float64Range(0, 50), rapid.Float64Range(0, 1e12))
	draw := func(name string) []float64 {
		out := rapid.SliceOfN(count, n, n).Draw(t, name)
		if floats.Sum(out) < 1 {
			out[rapid.IntRange(0, n-1).Draw(t, "counted")] = 1
		}
		return out
	}
	return draw("p"), draw("q")
}

func options(t *rapid.T) drift.Options {
	return drift.Options{Ordered: rapid.Bool().Draw(t, "ordered"), Exact: rapid.Bool().Draw(t, "exact"), Floor: rapid.Float64Range(1e-9, 0.01).Draw(t, "floor")}
}

func figures(c drift.Comparison) []float64 {
	out := []float64{c.PSI, c.JS}
	if c.KS != nil {
		out = append(out, *c.KS)
	}
	if c.Chi2 != nil {
		out = append(out, c.Chi2.Statistic, c.Chi2.PValue)
	}
	return out
}

func same(t *rapid.T, want, got []float64) {
	require.Len(t, got, len(want))
	for i := range want {
		require.InDelta(t, want[i], got[i], 1e-7*max(1, math.Abs(want[i])))
	}
}

func TestEqualDistributionsHaveNoDistance(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p, _ := pairs(t)
		times := rapid.Float64Range(1, 100).Draw(t, "times")
		q := make([]float64, len(p))
		floats.ScaleTo(q, times, p)
		o := options(t)
		o.Exact = false
		c := drift.Compare(p, q, o)
		require.InDelta(t, 0, c.PSI, 1e-9)
		require.InDelta(t, 0, c.JS, 1e-7) // a root of a rounding error
		if c.KS != nil {
			require.InDelta(t, 0, *c.KS, 1e-9)
		}
		if c.Chi2 != nil {
			require.InDelta(t, 1, c.Chi2.PValue, 1e-6)
		}
	})
}

func TestEveryFigureIsInItsRange(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p, q := pairs(t)
		c := drift.Compare(p, q, options(t))
		for _, v := range figures(c) {
			require.False(t, math.IsNaN(v) || math.IsInf(v, 0), "%v", c)
			require.GreaterOrEqual(t, v, 0.0)
		}
		require.LessOrEqual(t, c.JS, 1.0)
		if c.KS != nil {
			require.LessOrEqual(t, *c.KS, 1.0)
		}
		if c.Chi2 != nil {
			require.LessOrEqual(t, c.Chi2.PValue, 1.0)
		}
	})
}

func TestSwappingTheSamplesChangesNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p, q := pairs(t)
		o := options(t)
		o.Exact = false
		same(t, figures(drift.Compare(p, q, o)), figures(drift.Compare(q, p, o)))
	})
}

func TestTheOrderOfLabelsDoesNotMatter(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p, q := pairs(t)
		o := options(t)
		o.Ordered = false
		order := make([]int, len(p))
		for i := range order {
			order[i] = i
		}
		order = rapid.Permutation(order).Draw(t, "order")
		pp, qq := make([]float64, len(p)), make([]float64, len(q))
		for to, from := range order {
			pp[to], qq[to] = p[from], q[from]
		}
		same(t, figures(drift.Compare(p, q, o)), figures(drift.Compare(pp, qq, o)))
	})
}

// The distances only depend on the shares, not on the number of samples.
func TestDistancesDoNotDependOnTheNumberOfSamples(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p, q := pairs(t)
		o := options(t)
		o.Ordered = true
		more := make([]float64, len(p))
		floats.ScaleTo(more, rapid.Float64Range(1, 1e6).Draw(t, "times"), p)
		same(t, figures(drift.Compare(p, q, o))[:3], figures(drift.Compare(more, q, o))[:3])
	})
}

func TestKolmogorovSmirnovIsGonums(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p, q := pairs(t)
		places := make([]float64, len(p))
		for i := range places {
			places[i] = float64(i)
		}
		want := stat.KolmogorovSmirnov(places, p, places, q)
		require.InDelta(t, want, drift.KolmogorovSmirnov(drift.Shares(p), drift.Shares(q)), 1e-9)
	})
}
