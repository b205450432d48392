package drift

// Options describes the distributions.
type Options struct {
	// Ordered bins have an order, like those of a histogram. Only these have a
	// Kolmogorov-Smirnov distance, and only neighbouring ones are pooled.
	Ordered bool
	// Exact means that the reference is known and not sampled: it is given as shares.
	Exact bool
	// Floor is the minimum share of a bin; see Floored.
	Floor float64
}

// Comparison holds the statistics that apply.
type Comparison struct {
	PSI float64
	JS  float64
	// KS is nil if the bins have no order.
	KS *float64
	// Chi2 is nil if there are too few samples for two bins of the test.
	Chi2 *Test
}

// Compare compares the current distribution with the reference, both given as counts, or an
// exact reference as shares.
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
