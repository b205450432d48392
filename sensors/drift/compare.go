package drift

// Options say what the distributions are.
type Options struct {
	// Ordered bins follow each other, as a histogram's do: only then is there a
	// Kolmogorov-Smirnov distance, and only neighbours are pooled.
	Ordered bool
	// Exact is a reference that is known and not sampled: shares.
	Exact bool
	// Floor is the least share that a bin counts as; see Floored.
	Floor float64
}

// Comparison is what applies of the statistics.
type Comparison struct {
	PSI float64
	JS  float64
	// KS is nil where the bins have no order.
	KS *float64
	// Chi2 is nil where there are too few samples for two bins of the test.
	Chi2 *Test
}

// Compare measures the current distribution against the reference, both as counts;
// an exact reference as shares.
func Compare(current, reference []float64, o Options) Comparison {
	p, q := Shares(current), Shares(reference)
	out := Comparison{PSI: PSI(p, q, o.Floor), JS: JensenShannon(p, q)}
	if o.Ordered {
		ks := KolmogorovSmirnov(p, q)
		out.KS = &ks
	}
	var test Test
	var ok bool
	if o.Exact {
		test, ok = GoodnessOfFit(current, Floored(q, o.Floor), o.Ordered)
	} else {
		test, ok = Homogeneity(current, reference, o.Ordered)
	}
	if ok {
		out.Chi2 = &test
	}
	return out
}
