package drift

import "math"

// PSI is the population stability index of two distributions given as shares:
//
//	sum over bins of (p - q) * ln(p / q)
//
// with floored shares (see Floored), and without the bins that are empty in both. It is
// symmetric, 0 for equal distributions, and has no upper bound. N. Siddiqi, "Credit Risk
// Scorecards" (Wiley, 2006), gives the rule of thumb: below 0.1 no change, above 0.25 a large
// one. It is the divergence of H. Jeffreys, "An invariant form for the prior probability in
// estimation problems" (1946).
//
// With fewer samples it is larger by chance: its mean without any drift is about (bins-1) *
// (1/n + 1/m). B. Yurdakul and J. Naranjo, "Statistical properties of the population stability
// index" (2020).
func PSI(p, q []float64, floor float64) float64 {
	p, q = withoutEmpty(p, q)
	p, q = Floored(p, floor), Floored(q, floor)
	sum := 0.0
	for i := range p {
		sum += (p[i] - q[i]) * math.Log(p[i]/q[i])
	}
	return sum
}

// withoutEmpty removes the bins that are empty in both distributions.
func withoutEmpty(p, q []float64) (pp, qq []float64) {
	for i := range p {
		if p[i] > 0 || q[i] > 0 {
			pp, qq = append(pp, p[i]), append(qq, q[i])
		}
	}
	return pp, qq
}
