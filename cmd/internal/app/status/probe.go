package status

import (
	"context"
	"sync"
	"time"

	"github.com/scanflow-k8s/scanflow/engine"
)

const (
	// probeTimeout bounds the wait for the first list of an agent's targets.
	probeTimeout = 2 * time.Second
	// probeAtOnce bounds the agents that are probed at the same time.
	probeAtOnce = 8
	// probeEvery is the time between two probes. They cost no request.
	probeEvery = 30 * time.Second
	// probeAgain is the time to the probe after one that a change of agents began: the watches of
	// their triggers are opened meanwhile.
	probeAgain = 3 * time.Second
)

// ProberOptions configure a Prober; all are required.
type ProberOptions struct {
	// Specs returns the agents that run.
	Specs   func() []engine.Spec
	Leading func() bool
	// Watched returns why the objects of a watch trigger can't be followed; nil where they are.
	Watched func(engine.WatchSpec) error
	// Report receives the rights that the process lacks for the spec with this hash.
	Report func(agent, hash string, rights []engine.RightError)
	Clock  engine.Clock
}

// Prober finds the rights to list targets and watched objects that the process lacks, when
// the agents change and every half minute: an agent that fires at night should not look ready
// until then. It reads from the informers that the agents use anyway.
type Prober struct {
	ProberOptions
	changed chan struct{}
}

// NewProber makes a prober that does nothing before Run.
func NewProber(o ProberOptions) *Prober {
	return &Prober{ProberOptions: o, changed: make(chan struct{}, 1)}
}

// AgentsChanged has all agents probed now.
func (p *Prober) AgentsChanged() {
	select {
	case p.changed <- struct{}{}:
	default:
	}
}

// Run probes until ctx ends.
func (p *Prober) Run(ctx context.Context) {
	for wait := probeAgain; ; {
		if p.Leading() {
			p.probe(ctx)
		}
		again, stop := p.Clock.Timer(wait)
		select {
		case <-ctx.Done():
			stop()
			return
		case <-again:
			wait = probeEvery
		case <-p.changed:
			stop()
			wait = probeAgain
		}
	}
}

// probe reports for each agent.
func (p *Prober) probe(ctx context.Context) {
	slots := make(chan struct{}, probeAtOnce)
	var tasks sync.WaitGroup
	for _, spec := range p.Specs() {
		slots <- struct{}{}
		tasks.Go(func() {
			defer func() { <-slots }()
			rights := engine.AddMissingRight(nil, fleetFault(ctx, spec.Fleet))
			for _, t := range spec.Triggers {
				if t.Watch != nil {
					rights = engine.AddMissingRight(rights, p.Watched(*t.Watch))
				}
			}
			if ctx.Err() == nil {
				p.Report(spec.String(), spec.Generation, rights)
			}
		})
	}
	tasks.Wait()
}

// fleetFault returns why a fleet can't be listed. It follows none that was released.
func fleetFault(ctx context.Context, f engine.Fleet) error {
	follows, can := f.(interface{ Fault(context.Context) error })
	if !can {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	return follows.Fault(ctx)
}
