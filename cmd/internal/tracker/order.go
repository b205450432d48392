package tracker

import "strings"

// order is one key of an ORDER BY.
type order struct {
	entity, key string
	direction   string // "" or " DESC"
}

// parseOrder reads "metrics.`my key` DESC".
func (g *grammar) parseOrder(by string) (order, error) {
	tokens, err := lex(by)
	if err != nil {
		return order{}, err
	}
	var o order
	bad := invalid("Invalid order_by clause '%s'. Could not be parsed: it is a key, and ASC or DESC.", shorten(by))
	switch {
	case len(tokens) == 2 && tokens[1].kind == word && strings.EqualFold(tokens[1].text, "DESC"):
		o.direction = " DESC"
	case len(tokens) == 2 && tokens[1].kind == word && strings.EqualFold(tokens[1].text, "ASC"):
	case len(tokens) != 1:
		return order{}, bad
	}
	if tokens[0].kind != word {
		return order{}, bad
	}
	if o.entity, o.key, err = g.identifier(tokens[0].text); err != nil {
		return order{}, err
	}
	if _, ok := g.orders[o.key]; o.entity == "attribute" && !ok {
		return order{}, invalid("Invalid order by key '%s' specified. Valid keys are %s", shorten(o.key), names(g.orders))
	}
	if o.entity != "attribute" && !g.ordersRows {
		return order{}, invalid("Invalid order_by entity: %s", o.entity)
	}
	return o, nil
}

// orderBy returns an ORDER BY of the requested keys, then the default ones. Rows without a value
// are last, after those with NaN, in both directions.
func (g *grammar) orderBy(by, standard []string) (sql string, args []any, err error) {
	if len(by) > maxClauses {
		return "", nil, invalid("an order takes at most %d keys", maxClauses)
	}
	var parts []string
	seen := map[string]bool{}
	for _, text := range by {
		o, err := g.parseOrder(text)
		if err != nil {
			return "", nil, err
		}
		column := g.orders[o.key]
		if o.entity != "attribute" {
			column = "(SELECT x.value FROM " + g.rows[o.entity] + " AND x.key = ?)"
		}
		if seen[o.entity+"."+o.key] {
			return "", nil, invalid("`order_by` contains duplicate fields: '%s'", shorten(o.key))
		}
		seen[o.entity+"."+o.key] = true
		if o.entity == "metric" {
			parts, args = append(parts, "coalesce((SELECT x.nan FROM "+g.rows[o.entity]+" AND x.key = ?), 2)"), append(args, o.key)
		}
		if o.entity != "attribute" {
			args = append(args, o.key)
		}
		parts = append(parts, column+o.direction+" NULLS LAST")
	}
	return " ORDER BY " + strings.Join(append(parts, standard...), ", "), args, nil
}
