package turn

import (
	"reflect"
	"slices"

	"github.com/scanflow-k8s/scanflow/engine"
)

// agentReads lists the inputs that each strategy of an agent reads, in one revision.
type agentReads struct {
	revision   string
	names      []string // of the strategies, sorted
	strategies []strategyReads
	// signals are the fields that any strategy reads, by sensor.
	signals []engine.SignalFields
}

// strategyReads lists the inputs of one strategy, with signals by their index in the document.
type strategyReads struct {
	engine.Reads
	signals []signalRead
}

type signalRead struct {
	index  int
	fields engine.SignalFields
}

func readsOf(rev engine.Revision, strategies, signals []string) *agentReads {
	out := &agentReads{revision: rev.ID(), signals: make([]engine.SignalFields, len(signals))}
	out.names = slices.Compact(slices.Sorted(slices.Values(strategies)))
	for _, name := range out.names {
		s := strategyReads{Reads: rev.Reads([]string{name})}
		for i, signal := range signals {
			fields := s.Signals[signal]
			if s.AllSignals {
				fields |= s.AllFields
			}
			if fields != 0 {
				s.signals = append(s.signals, signalRead{i, fields})
				out.signals[i] |= fields
			}
		}
		out.strategies = append(out.strategies, s)
	}
	return out
}

// forTrigger reports whether what a strategy proposes is for the trigger.
func (r *agentReads) forTrigger(strategy string) bool {
	i, has := slices.BinarySearch(r.names, strategy)
	return has && r.strategies[i].ForTrigger
}

// basis holds the inputs that the strategies read last, which of them ran then or not: one
// that did not run would have read the same.
type basis struct {
	memoryVersion int
	memory        engine.Memory
	signals       []engine.Signal
	target        engine.Target
	claims        []engine.Claim
	trigger       engine.TriggerInfo
}

// changes are the differences between a document and the basis.
type changes struct {
	signals                 []engine.SignalFields
	target                  engine.TargetFields
	memory, claims, trigger bool
}

// compare returns what changed since the basis.
func (b *basis) compare(doc *engine.Document, memoryVersion int, r *agentReads) changes {
	var c changes
	for i, read := range r.signals {
		if read == 0 {
			continue
		}
		if changed := changedFields(&doc.Signals[i], &b.signals[i]); changed != 0 {
			if c.signals == nil {
				c.signals = make([]engine.SignalFields, len(r.signals))
			}
			c.signals[i] = changed
		}
	}
	c.target = changedTarget(&doc.Target, &b.target)
	c.memory = b.memoryVersion != memoryVersion
	c.claims = !slices.Equal(doc.Claims, b.claims)
	t, before := doc.Trigger, &b.trigger
	c.trigger = t.Event != nil || before.Event != nil || t.Watch != nil || before.Watch != nil || *t != *before
	return c
}

// update makes the basis that of a document.
func (b *basis) update(doc *engine.Document, memoryVersion int) {
	*b = basis{memoryVersion, doc.Memory, append(b.signals[:0], doc.Signals...), doc.Target, doc.Claims, *doc.Trigger}
}

// affect reports whether a strategy reads any of the changes from the basis to the document.
func (c *changes) affect(s *strategyReads, doc *engine.Document, b *basis) bool {
	if s.Now || s.Trigger && c.trigger || s.Target&c.target != 0 {
		return true
	}
	if c.signals != nil {
		for _, read := range s.signals {
			if c.signals[read.index]&read.fields != 0 {
				return true
			}
		}
	}
	return c.memory && (s.Memory.All || slices.ContainsFunc(s.Memory.Names, func(name string) bool {
		now, is := doc.Memory[name]
		before, was := b.memory[name]
		return is != was || !reflect.DeepEqual(now, before)
	})) || c.claims && (s.Claims.All || slices.ContainsFunc(s.Claims.Names, func(name string) bool {
		return claimNamed(doc.Claims, name) != claimNamed(b.claims, name)
	}))
}

func claimNamed(claims []engine.Claim, name string) engine.Claim {
	for _, c := range claims {
		if c.Name == name {
			return c
		}
	}
	return engine.Claim{}
}
