package claim

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"github.com/scanflow-k8s/scanflow/engine"
)

// Clone returns a copy of the table that changes on its own.
func (t *Table) Clone() *Table {
	t.mu.Lock()
	defer t.mu.Unlock()
	out := NewTable()
	for target, names := range t.by {
		for name, h := range names {
			out.put(target, name, h.clone())
		}
	}
	return out
}

func (h *Hold) clone() *Hold {
	if h == nil {
		return nil
	}
	same := *h
	if h.end != nil {
		end := *h.end
		same.end = &end
	}
	same.before = h.before.clone()
	return &same
}

// Clone returns a view on copies of the tables: what is taken through it is held by nobody.
func (v *View) Clone() *View {
	out := *v
	out.Shared, out.DryRun = v.Shared.Clone(), v.DryRun.Clone()
	return &out
}

// Held lists the claims that a view shows, on every target: those of this process and of the
// agent's dry run, and what other processes told. deadline returns the time that an act of a
// verb may take.
func (v *View) Held(now time.Time, deadline func(verb string) time.Duration) []engine.HeldClaim {
	out := v.Shared.List(now, deadline)
	if v.IsDry {
		out = append(out, v.DryRun.List(now, deadline)...)
	}
	if v.Remote.Claims != nil {
		told := v.Remote.Claims()
		for _, target := range slices.SortedFunc(maps.Keys(told), func(x, y engine.TargetID) int {
			return cmp.Or(cmp.Compare(x.String(), y.String()), cmp.Compare(x.Kind, y.Kind))
		}) {
			out = append(out, v.Remote.on(target, now)...)
		}
	}
	return out
}

// ViewOf returns a view of claims that another process lists.
func ViewOf(held map[engine.TargetID][]engine.HeldClaim, isDry bool, priority int) *View {
	return &View{
		Shared: NewTable(), DryRun: NewTable(), IsDry: isDry, Priority: priority,
		Remote: &Remote{
			Claims: func() map[engine.TargetID][]engine.HeldClaim { return held },
			Local:  func(string) bool { return false },
		},
	}
}
