package journal

import (
	"context"
	"database/sql"
	"fmt"
	"iter"
	"strconv"
	"strings"
	"time"

	"github.com/scanflow-k8s/scanflow/engine"
)

// pageSize is the number of rows that are read at a time. No lock is held between pages, so
// that a slow reader does not keep the daemon from reusing the write-ahead log.
const pageSize = 500

// Filter selects decisions or firings. An empty field selects all.
type Filter struct {
	Agent    string // "namespace/name"
	Target   string // "namespace/name", or "name" in any namespace
	Strategy string
	Verb     string
	Verdict  engine.Verdict
	Outcome  engine.Status // of the act; Running selects acts without a conclusion
	Identity string
	// After and Before bound the Row.Seq of decisions, both exclusive; 0 for no bound.
	After, Before int64
	// Since and Until bound the time of the firing: since <= t < until.
	Since, Until time.Time
	// Limit is the maximum number of rows in the given order; 0 for all.
	Limit int
	// OldestFirst reverses the default order, newest first.
	OldestFirst bool
}

// conditions collects the conditions of a query.
type conditions struct {
	terms []string
	args  []any
}

func (c *conditions) add(on bool, term string, args ...any) {
	if on {
		c.terms = append(c.terms, term)
		c.args = append(c.args, args...)
	}
}

// addTimeRange adds conditions for the agent and the time of the firing. The subquery makes
// the search begin at the first row in the range. The unary plus prevents the planner from
// sorting by time.
func (c *conditions) addTimeRange(f Filter, first, compare string) {
	c.add(f.Agent != "", `+f.agent = ?`, f.Agent)
	if !f.Since.IsZero() {
		c.add(true, `+f.at >= ?`, nanos(f.Since))
		c.add(true, compare+first, nanos(f.Since))
	}
	c.add(!f.Until.IsZero(), `+f.at < ?`, nanos(f.Until))
}

// queryPages runs a query page by page, in the order of its key, the first column.
func queryPages[T any](ctx context.Context, r *Reader, f Filter, query, key string, w conditions, scan func(*sql.Rows) (int64, T, error)) iter.Seq2[T, error] {
	order, next := ` DESC`, key+` < ?`
	if f.OldestFirst {
		order, next = ` ASC`, key+` > ?`
	}
	return func(yield func(T, error) bool) {
		w, last, left := w, int64(0), f.Limit
		for started := false; ; started = true {
			terms, args := append([]string{`1`}, w.terms...), append([]any{}, w.args...)
			if started {
				terms, args = append(terms, next), append(args, last)
			}
			size := pageSize
			if f.Limit > 0 {
				size = min(size, left)
			}
			var rows []T
			err := r.each(ctx, func(sr *sql.Rows) error {
				k, row, err := scan(sr)
				last, rows = k, append(rows, row)
				return err
			}, query+` WHERE `+strings.Join(terms, ` AND `)+` ORDER BY `+key+order+` LIMIT `+strconv.Itoa(size), args...)
			if err != nil {
				var none T
				yield(none, fmt.Errorf("query the journal: %w", err))
				return
			}
			for _, row := range rows {
				if !yield(row, nil) {
					return
				}
			}
			if left -= len(rows); len(rows) < size || (f.Limit > 0 && left <= 0) {
				return
			}
		}
	}
}
