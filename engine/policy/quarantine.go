package policy

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
)

// Quarantined is a strategy or a guard that is not evaluated in one revision, because
// it crashed the process or would do so.
type Quarantined struct {
	Member
	Revision string    `json:"revision"`
	At       time.Time `json:"at"`
	// Agent and Target are those of the document, as namespace/name.
	Agent  string `json:"agent"`
	Target string `json:"target"`
	// Place is the line that was evaluated, as "file:line: text"; "" if it is not known.
	Place string `json:"place,omitempty"`
	// Why is the reason, as the predicate of a sentence.
	Why string `json:"why"`
}

// Error returns why the member is not evaluated, and how it leaves the quarantine.
func (q *Quarantined) Error() string {
	at := ""
	if q.Place != "" {
		at = " at " + q.Place
	}
	return fmt.Sprintf("is in quarantine for revision %s: on target %s it %s%s; mend it, another revision frees it", q.Revision, q.Target, q.Why, at)
}

// Quarantine holds the members that are not evaluated, by revision. It is safe for
// concurrent use.
type Quarantine struct {
	any atomic.Bool // each evaluation reads it, and most quarantines are empty
	mu  sync.RWMutex
	all map[string]map[Member]*Quarantined // by revision
}

// NewQuarantine returns a quarantine with these members.
func NewQuarantine(list []Quarantined) *Quarantine {
	q := &Quarantine{all: map[string]map[Member]*Quarantined{}}
	q.Add(list...)
	return q
}

// Add adds members. It does not change those that are in already.
func (q *Quarantine) Add(more ...Quarantined) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, one := range more {
		if q.all[one.Revision] == nil {
			q.all[one.Revision] = map[Member]*Quarantined{}
		}
		if q.all[one.Revision][one.Member] == nil {
			q.all[one.Revision][one.Member] = &one
			q.any.Store(true)
		}
	}
}

// Of returns the members in quarantine for a revision, sorted.
func (q *Quarantine) Of(revision string) []Quarantined {
	if q == nil {
		return nil
	}
	q.mu.RLock()
	defer q.mu.RUnlock()
	var out []Quarantined
	for _, m := range slices.SortedFunc(maps.Keys(q.all[revision]), compareMember) {
		out = append(out, *q.all[revision][m])
	}
	return out
}

// All returns all members in quarantine, sorted by revision.
func (q *Quarantine) All() []Quarantined {
	q.mu.RLock()
	revisions := slices.Sorted(maps.Keys(q.all))
	q.mu.RUnlock()
	var out []Quarantined
	for _, r := range revisions {
		out = append(out, q.Of(r)...)
	}
	return out
}

// errorFor returns why a member is not evaluated in a revision, or nil if it is.
func (q *Quarantine) errorFor(revision string, m Member) error {
	if q == nil || !q.any.Load() {
		return nil
	}
	q.mu.RLock()
	defer q.mu.RUnlock()
	if one := q.all[revision][m]; one != nil {
		return one
	}
	return nil
}

func compareMember(a, b Member) int {
	return cmp.Or(strings.Compare(a.Kind, b.Kind), strings.Compare(a.Name, b.Name))
}

// Isolate puts a member into quarantine, and with it every other member that can
// reach the same file, so that one file crashes the process at most once.
func (r *Revision) Isolate(one Quarantined) []Quarantined {
	out := []Quarantined{one}
	files := r.filesOf(one)
	for _, m := range r.members() {
		if m != one.Member && r.reachesFile(m, files) {
			other := one
			other.Member = m
			other.Why = fmt.Sprintf("can reach the file in which %s %s", one.Member, one.Why)
			out = append(out, other)
		}
	}
	r.opts.Quarantine.Add(out...)
	return out
}

// members returns all strategies and guards.
func (r *Revision) members() []Member {
	var out []Member
	for _, name := range r.Strategies() {
		out = append(out, Member{KindStrategy, name})
	}
	for _, name := range r.Guards() {
		out = append(out, Member{KindGuard, name})
	}
	return out
}

// packageOf returns the package of a member, or nil if there is none.
func (r *Revision) packageOf(m Member) ast.Ref {
	if m.Kind == KindStrategy {
		if s := r.strategies[m.Name]; s != nil {
			return s.pkg
		}
		return nil
	}
	return r.guardNamed(m.Name).pkg
}

// filesOf returns the file that was evaluated, or those of the member's package if
// the file is not known.
func (r *Revision) filesOf(one Quarantined) map[string]bool {
	files := map[string]bool{}
	for file := range r.modules {
		if strings.HasPrefix(one.Place, file+":") { // the name may contain a colon
			files[file] = true
			return files
		}
	}
	own := r.packageOf(one.Member)
	for file, m := range r.compiler.Modules {
		if own != nil && m.Package.Path.Equal(own) && !isTest(m) {
			files[file] = true
		}
	}
	return files
}

// reachesFile reports whether a rule of the member, or one that it depends on, is in
// one of the files.
func (r *Revision) reachesFile(member Member, files map[string]bool) bool {
	pkg := r.packageOf(member)
	used := map[*ast.Rule]bool{}
	t := newTracer(r.compiler)
	for _, m := range r.compiler.Modules {
		if pkg == nil || !m.Package.Path.Equal(pkg) || isTest(m) {
			continue
		}
		for _, rule := range m.Rules {
			t.collectDependencies(rule, used)
		}
	}
	for rule := range used {
		if rule.Location != nil && files[rule.Location.File] {
			return true
		}
	}
	return false
}
