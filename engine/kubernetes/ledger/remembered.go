package ledger

import (
	"bytes"
	"slices"

	"github.com/scanflow-k8s/scanflow/engine"
)

// Of what strategies remember, a value is written if it has rememberedBytes at most, and a
// record has rememberedInRecord bytes of them at most: they must not make a record of acts too
// large.
const (
	rememberedBytes    = 4 << 10
	rememberedInRecord = 64 << 10
)

// holdRemembered keeps what a firing's strategies remember until a record of their target is
// written: a value may change at each firing, and must not cost a request each time.
func (l *Ledger) holdRemembered(f *engine.FiringRecord) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i := range f.Notes {
		if !f.Notes[i].Remembered {
			continue
		}
		n, err := noteOf(f, &f.Notes[i])
		if err != nil {
			return err
		}
		if l.remembered == nil {
			l.remembered = map[noteKey]note{}
		}
		l.remembered[n.key()] = n
	}
	return nil
}

// withRemembered returns a record with what is remembered of the targets of its acts and notes.
func (l *Ledger) withRemembered(b *batch) *batch {
	type place struct {
		agent string
		on    target
	}
	of := map[place]bool{}
	for i := range b.Acts {
		of[place{b.Acts[i].Agent, b.Acts[i].Target}] = true
	}
	for i := range b.Notes {
		of[place{b.Notes[i].Agent, b.Notes[i].Target}] = true
	}
	if len(of) == 0 {
		return b
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	out, left := *b, rememberedInRecord
	out.Notes = slices.Clone(b.Notes)
	for k, n := range l.remembered {
		if of[place{k.agent, k.target}] && len(n.Value) <= min(rememberedBytes, left) {
			left -= len(n.Value)
			out.Notes = append(out.Notes, n)
		}
	}
	return &out
}

// wroteRemembered drops what was written and has not changed since.
func (l *Ledger) wroteRemembered(b *batch) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i := range b.Notes {
		if n := &b.Notes[i]; bytes.Equal(l.remembered[n.key()].Value, n.Value) {
			delete(l.remembered, n.key())
		}
	}
}
