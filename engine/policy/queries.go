package policy

import (
	"slices"
	"strings"
	"sync"

	"github.com/open-policy-agent/opa/v1/ast"
)

// queries caches the prepared query of each list of strategies.
type queries struct {
	revision *Revision
	groups   sync.Map // names joined -> *known
	guards   sync.Map // which guards bind -> *guardQueries
	singles  sync.Map // path -> *member
}

type groupEntry struct {
	group   *group
	unknown []string
}

// group returns the query for a list of strategies, sorted by name, and the names
// that the revision does not have.
func (q *queries) group(names []string) (*group, []string) {
	key := strings.Join(names, "\n")
	if k, ok := q.groups.Load(key); ok {
		return k.(*groupEntry).group, k.(*groupEntry).unknown
	}
	sorted := slices.Compact(slices.Sorted(slices.Values(names)))
	k := &groupEntry{}
	var members []*member
	for _, name := range sorted {
		s := q.revision.strategies[name]
		if s == nil {
			k.unknown = append(k.unknown, name)
			continue
		}
		members = append(members, q.member(Member{KindStrategy, name}, s.pkg, "propose"))
	}
	if len(members) > 0 {
		k.group = &group{revision: q.revision, members: members}
	}
	actual, _ := q.groups.LoadOrStore(key, k)
	return actual.(*groupEntry).group, actual.(*groupEntry).unknown
}

// member returns the member of that path, which all groups share with its failures.
func (q *queries) member(is Member, pkg ast.Ref, rule string) *member {
	path := pkg.Append(ast.StringTerm(rule))
	of := &member{Member: is, path: path}
	if s := q.revision.strategies[is.Name]; is.Kind == KindStrategy && s != nil && len(s.remember) > 0 {
		of.remember = pkg.Append(ast.StringTerm(rememberRule))
	}
	m, _ := q.singles.LoadOrStore(path.String(), of)
	return m.(*member)
}
