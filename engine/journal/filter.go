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

// page is how many rows are read at once: between pages no lock is held, so that
// a slow reader never keeps the daemon's log from being reused.
const page = 500

// Filter chooses decisions, or firings. An empty field chooses all.
type Filter struct {
	Agent    string // "namespace/name"
	Target   string // "namespace/name", or "name" in any namespace
	Strategy string
	Verb     string
	Verdict  engine.Verdict
	Identity string
	// Since and Until bound the firing's time: since <= t < until.
	Since, Until time.Time
	// Limit is the most rows wanted, 0 for all, counted from where the order begins.
	Limit int
	// OldestFirst turns the order round, which is newest first.
	OldestFirst bool
}

// where gathers the conditions of a query.
type where struct {
	terms []string
	args  []any
}

func (w *where) add(on bool, term string, args ...any) {
	if on {
		w.terms = append(w.terms, term)
		w.args = append(w.args, args...)
	}
}

// span bounds the firing's agent and time; the sub-query lets a search begin where
// the time does. The unary plus keeps the planner from sorting by time.
func (w *where) span(f Filter, first, compare string) {
	w.add(f.Agent != "", `+f.agent = ?`, f.Agent)
	if !f.Since.IsZero() {
		w.add(true, `+f.at >= ?`, nanos(f.Since))
		w.add(true, compare+first, nanos(f.Since))
	}
	w.add(!f.Until.IsZero(), `+f.at < ?`, nanos(f.Until))
}

// pages runs a query page by page, in the order of its key, which is the first column.
func pages[T any](ctx context.Context, r *Reader, f Filter, query, key string, w where, scan func(*sql.Rows) (int64, T, error)) iter.Seq2[T, error] {
	order, next := ` DESC`, key+` < ?`
	if f.OldestFirst {
		order, next = ` ASC`, key+` > ?`
	}
	return func(yield func(T, error) bool) {
		w, last, left := w, int64(0), f.Limit
		for begun := false; ; begun = true {
			terms, args := append([]string{`1`}, w.terms...), append([]any{}, w.args...)
			if begun {
				terms, args = append(terms, next), append(args, last)
			}
			size := page
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
