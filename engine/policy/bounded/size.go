package bounded

import (
	"math"

	"github.com/open-policy-agent/opa/v1/ast"
)

// Size is the size of a value as text. A shared part counts each time that it occurs.
type Size struct {
	Bytes int64 // at least 2 for every value in it
	Depth int   // 0 for a scalar or an empty collection
}

// Written measures a value. It visits shared parts once, so its run time is proportional
// to the memory of the value. It stops beyond limit bytes: then ok is false, and the size
// is a lower bound.
func Written(v ast.Value, limit int64) (size Size, ok bool) {
	if n, scalar := scalarSize(v); scalar {
		return Size{Bytes: n}, n <= limit
	}
	m := measure{limit: limit}
	size = m.value(v)
	return size, size.Bytes <= limit
}

// Within reports whether a value is at most limit bytes of text.
func Within(v ast.Value, limit int64) bool {
	if n, scalar := scalarSize(v); scalar {
		return n <= limit
	}
	_, ok := Written(v, limit)
	return ok
}

// Show formats a value for a message, clipped to about most bytes.
func Show(v ast.Value, most int) string {
	if !Within(v, MaxText) {
		return ast.ValueName(v) + " too large to show"
	}
	s := v.String()
	if len(s) > most {
		for most > 0 && s[most]&0xC0 == 0x80 { // don't split a rune
			most--
		}
		s = s[:most] + "..."
	}
	return s
}

// few is the number of values that are visited before results are cached: most values
// are smaller, and the cache costs more than a visit.
const few = 128

type measure struct {
	limit   int64
	visited int
	seen    map[ast.Value]Size
}

func scalarSize(v ast.Value) (int64, bool) {
	switch v := v.(type) {
	case ast.String:
		return int64(len(v)) + 2, true
	case ast.Number:
		return int64(len(v)) + 2, true
	case ast.Boolean, ast.Null, ast.Var:
		return 5, true
	}
	return 0, false
}

func (m *measure) value(v ast.Value) Size {
	if n, ok := scalarSize(v); ok {
		return Size{Bytes: n}
	}
	m.visited++
	if m.visited > few {
		if known, ok := m.seen[v]; ok {
			return known
		}
	}
	out := Size{Bytes: 2}
	switch v := v.(type) {
	case *ast.Array:
		for i := range v.Len() {
			if m.add(&out, v.Elem(i)); out.Bytes > m.limit {
				break
			}
		}
	case ast.Set:
		v.Until(func(t *ast.Term) bool {
			m.add(&out, t)
			return out.Bytes > m.limit
		})
	case ast.Object:
		v.Until(func(k, t *ast.Term) bool {
			m.add(&out, k)
			m.add(&out, t)
			return out.Bytes > m.limit
		})
	default:
		return Size{Bytes: 16} // not a result of an evaluation
	}
	if m.visited > few {
		if m.seen == nil {
			m.seen = map[ast.Value]Size{}
		}
		m.seen[v] = out
	}
	return out
}

// add saturates instead of overflowing.
func (m *measure) add(to *Size, t *ast.Term) {
	part := m.value(t.Value)
	to.Depth = max(to.Depth, part.Depth+1)
	if to.Bytes > math.MaxInt64/4 {
		return
	}
	to.Bytes += min(part.Bytes, math.MaxInt64/4)
}
