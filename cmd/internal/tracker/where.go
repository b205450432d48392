package tracker

import "strings"

// conditions are the conditions of a WHERE clause, with their arguments.
type conditions struct {
	sql  []string
	args []any
}

func (w *conditions) add(sql string, args ...any) {
	w.sql = append(w.sql, sql)
	w.args = append(w.args, args...)
}

// String returns the clause without the word WHERE.
func (w *conditions) String() string { return strings.Join(w.sql, " AND ") }

// where adds the conditions of a filter. An entity without the key never matches, not even a
// !=. A NaN metric matches only a !=.
func (g *grammar) where(w *conditions, filter string) error {
	clauses, err := g.parseFilter(filter)
	if err != nil {
		return err
	}
	for _, c := range clauses {
		if c.entity == "attribute" {
			sql, args := c.compares(g.filters[c.key].sql)
			w.add(sql, args...)
			continue
		}
		sql, args := c.compares("x.value")
		if c.entity == "metric" && c.compare == "!=" {
			sql = "(x.nan OR " + sql + ")"
		} else if c.entity == "metric" {
			sql = "NOT x.nan AND " + sql
		}
		w.add("EXISTS (SELECT 1 FROM "+g.rows[c.entity]+" AND x.key = ? AND "+sql+")", append([]any{c.key}, args...)...)
	}
	return nil
}

// compares returns the comparison with a column.
func (c clause) compares(column string) (string, []any) {
	switch {
	case c.list != nil:
		return column + " " + c.compare + " (SELECT value FROM json_each(?))", []any{list(c.list)}
	case c.number != nil:
		return column + " " + c.compare + " ?", []any{c.number}
	case c.compare == "ILIKE":
		return "lower(" + column + ") LIKE lower(?)", []any{c.text}
	}
	return column + " " + c.compare + " ?", []any{c.text}
}
