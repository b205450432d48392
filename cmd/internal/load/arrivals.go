package load

import (
	"math/rand/v2"
	"time"
)

// Arrival is the scheduled start of one query.
type Arrival struct {
	At    time.Duration // since the start of the first phase
	Phase int           // index of its phase
}

// arrivals generates the arrivals of all phases. The seed determines every arrival.
type arrivals struct {
	phases []Phase
	rng    *rand.Rand
	phase  int
	begin  time.Duration // of the phase
	at     float64       // seconds since the phase began; float64 keeps the gaps' distribution exact
	traced *tracedArrivals
}

func newArrivals(phases []Phase, seed uint64) *arrivals {
	return &arrivals{phases: phases, rng: rand.New(rand.NewPCG(seed, 0x706f6973736f6e))}
}

// next returns the next arrival, or false after the last phase.
func (a *arrivals) next() (Arrival, bool) {
	for a.phase < len(a.phases) {
		p := &a.phases[a.phase]
		within := a.poisson
		if p.Shape == Traced {
			within = a.replay
		}
		if t, ok := within(p); ok {
			return Arrival{At: a.begin + t, Phase: a.phase}, true
		}
		a.begin += p.Duration
		a.phase, a.at, a.traced = a.phase+1, 0, nil
	}
	return Arrival{}, false
}

// poisson draws a Poisson process. Gaps are exponential; for a varying rate, arrivals at
// the phase's peak rate are thinned (Lewis and Shedler, 1979). The process is memoryless,
// so the next phase may begin with a new gap.
func (a *arrivals) poisson(p *Phase) (time.Duration, bool) {
	peak := p.peak()
	for peak > 0 {
		a.at += a.rng.ExpFloat64() / peak
		if a.at >= p.Duration.Seconds() {
			break
		}
		t := time.Duration(a.at * float64(time.Second))
		if p.Shape == Steady || a.rng.Float64()*peak < p.RateAt(t) {
			return t, true
		}
	}
	return 0, false
}

// replay returns the arrivals of the trace.
func (a *arrivals) replay(p *Phase) (time.Duration, bool) {
	if a.traced == nil {
		a.traced = &tracedArrivals{trace: p.trace, rng: a.rng}
	}
	t, ok := a.traced.next()
	return t, ok && t < p.Duration
}
