package ledger

import (
	"bytes"
	"cmp"
	"maps"
	"slices"

	"github.com/scanflow-k8s/scanflow/engine"
)

// Of what strategies remember, a value is written if it has rememberedBytes at most, and a
// record has rememberedInRecord bytes of them at most: they must not make a record of acts too
// large. mostRemembered bounds the values that wait for a record: a target may be gone before
// there is one.
const (
	rememberedBytes    = 4 << 10
	rememberedInRecord = 64 << 10
	mostRemembered     = 10_000
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
		if len(n.Value) > rememberedBytes {
			delete(l.remembered, n.key())
			continue
		}
		l.remembered[n.key()] = n
	}
	l.dropOldestRemembered()
	return nil
}

// dropOldestRemembered drops a quarter of the values that wait where there are too many. The
// lock is held.
func (l *Ledger) dropOldestRemembered() {
	if len(l.remembered) <= mostRemembered {
		return
	}
	keys := slices.SortedFunc(maps.Keys(l.remembered), func(a, b noteKey) int { return cmp.Compare(l.remembered[a].At, l.remembered[b].At) })
	for _, k := range keys[:len(keys)-mostRemembered*3/4] {
		delete(l.remembered, k)
	}
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
		if of[place{k.agent, k.target}] && len(n.Value) <= left {
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
