package load

import (
	"math/rand/v2"
	"time"
)

// Arrival is one query that is due.
type Arrival struct {
	At    time.Duration // since the first phase began
	Phase int           // index of its phase
}

// arrivals draws a Poisson process through the phases: gaps are exponential, and
// where the rate moves, arrivals at the phase's peak rate are thinned down to it
// (Lewis and Shedler, 1979). The seed fixes every arrival.
type arrivals struct {
	phases []Phase
	rng    *rand.Rand
	phase  int
	begin  time.Duration // of the phase
	at     float64       // seconds since the phase began; float64 keeps the gaps' distribution exact
}

func newArrivals(phases []Phase, seed uint64) *arrivals {
	return &arrivals{phases: phases, rng: rand.New(rand.NewPCG(seed, 0x706f6973736f6e))}
}

// next is the next arrival; false after the last phase.
func (a *arrivals) next() (Arrival, bool) {
	for a.phase < len(a.phases) {
		p := a.phases[a.phase]
		peak := p.peak()
		if peak > 0 {
			a.at += a.rng.ExpFloat64() / peak
		}
		t := time.Duration(a.at * float64(time.Second))
		if peak == 0 || a.at >= p.Duration.Seconds() {
			// A Poisson process forgets: the next phase may begin with a fresh gap.
			a.begin += p.Duration
			a.phase, a.at = a.phase+1, 0
			continue
		}
		if p.Shape != Steady && a.rng.Float64()*peak >= p.RateAt(t) {
			continue
		}
		return Arrival{At: a.begin + t, Phase: a.phase}, true
	}
	return Arrival{}, false
}
