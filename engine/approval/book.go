package approval

import (
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/backoff"
)

// recheckPause has the pauses before an approved act that a guard held back is rechecked:
// each recheck samples the whole fleet.
var recheckPause = backoff.Exponential{First: 5 * time.Second, Most: time.Minute}

// Book caches the approvals of one agent, the last of each proposal. It is safe for
// concurrent use.
type Book struct {
	mu    sync.Mutex
	byKey map[string]engine.Approval
	// rechecks are the last attempts to end an approval, by id.
	rechecks map[string]attempt
}

// attempt is the last of the attempts to end an approval, and their count.
type attempt struct {
	at    time.Time
	count int
}

// NewBook returns an empty cache.
func NewBook() *Book {
	return &Book{byKey: map[string]engine.Approval{}, rechecks: map[string]attempt{}}
}

// Clone returns a copy of the cache that changes on its own.
func (b *Book) Clone() *Book {
	b.mu.Lock()
	defer b.mu.Unlock()
	return &Book{byKey: maps.Clone(b.byKey), rechecks: maps.Clone(b.rechecks)}
}

// Merge updates the cached approval unless the cache is newer: a person may decide while
// the journal is read.
func (b *Book) Merge(p engine.Approval, now time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	p.Decided, p.Ended = engine.NotAfter(p.Decided, now), engine.NotAfter(p.Ended, now)
	cached, known := b.byKey[p.Key]
	switch {
	case known && cached.ID == p.ID && cached.State.Stage() > p.State.Stage():
		return
	case known && cached.ID != p.ID && cached.Asked.After(p.Asked) && !cached.Asked.After(now):
		return
	}
	b.byKey[p.Key] = p
	if p.State.Ended() {
		delete(b.rechecks, p.ID)
	}
}

// Get returns the last approval of a proposal.
func (b *Book) Get(key string) (engine.Approval, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	p, known := b.byKey[key]
	return p, known
}

// List returns the cached approvals, in the order of their ids.
func (b *Book) List() []engine.Approval {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.SortedFunc(maps.Values(b.byKey), func(x, y engine.Approval) int { return strings.Compare(x.ID, y.ID) })
}

// AnyWaiting reports whether an approval waits for a person.
func (b *Book) AnyWaiting() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, p := range b.byKey {
		if p.State == engine.ApprovalWaiting {
			return true
		}
	}
	return false
}

// UsedBy reports whether a person approved the act of an identity.
func (b *Book) UsedBy(identity string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, p := range b.byKey {
		if p.State == engine.ApprovalUsed && p.Identity == identity {
			return true
		}
	}
	return false
}

// Delay sets the time of the next attempt to end an approval.
func (b *Book) Delay(id string, now time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.rechecks[id] = attempt{now, b.rechecks[id].count + 1}
}

// dueAt returns when an open approval is due: an approved one at once, a waiting one when it
// expires.
func (b *Book) dueAt(p *engine.Approval) time.Time {
	at := p.Expires
	if p.State == engine.ApprovalApproved {
		at = time.Time{}
	}
	if last, tried := b.rechecks[p.ID]; tried {
		if next := last.at.Add(recheckPause.After(last.count)); at.Before(next) {
			at = next
		}
	}
	return at
}

// NextDue returns when the next open approval is due, and reports whether there is one.
func (b *Book) NextDue() (at time.Time, any bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, p := range b.byKey {
		if p.State.Ended() {
			continue
		}
		if due := b.dueAt(&p); !any || due.Before(at) {
			at, any = due, true
		}
	}
	return at, any
}

// Due returns the open approvals that are due, in the order of their ids, and the changes
// of those that were requested while the clock was ahead. It drops those that ended before
// keepSince.
func (b *Book) Due(now, keepSince time.Time) (due []engine.Approval, rebased []engine.ApprovalChange) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for key, p := range b.byKey {
		if c, is := p.Rebase(now); is {
			rebased = append(rebased, c)
			continue
		}
		switch {
		case p.State.Ended() && p.Ended.Before(keepSince):
			delete(b.byKey, key)
		case !p.State.Ended() && !now.Before(b.dueAt(&p)):
			due = append(due, p)
		}
	}
	slices.SortFunc(due, func(x, y engine.Approval) int { return strings.Compare(x.ID, y.ID) })
	slices.SortFunc(rebased, func(x, y engine.ApprovalChange) int { return strings.Compare(x.Approval.ID, y.Approval.ID) })
	return due, rebased
}

// Rewind moves every time that is in the future to now, after the clock was set back.
func (b *Book) Rewind(now time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for id, a := range b.rechecks {
		a.at = engine.NotAfter(a.at, now)
		b.rechecks[id] = a
	}
	for key, p := range b.byKey {
		p.Decided, p.Ended = engine.NotAfter(p.Decided, now), engine.NotAfter(p.Ended, now)
		b.byKey[key] = p
	}
}
