package tracker

import (
	"slices"
	"strconv"
	"strings"
)

// clause is one comparison of a filter.
type clause struct {
	entity  string // metric, parameter, tag or attribute
	key     string
	compare string // = != > >= < <= LIKE ILIKE IN, or NOT IN
	text    string
	number  any // int64 or float64, where the key is a number
	list    []string
}

// The operators for numbers and for texts.
var (
	numeric = []string{"=", "!=", ">", ">=", "<", "<="}
	textual = []string{"=", "!=", "LIKE", "ILIKE"}
)

// The limits of a search, so that its query stays within SQLite's.
const (
	maxClauses = 100
	maxPattern = 10_000 // bytes of a LIKE's pattern
)

// grammar holds the names that filters and orders of a kind of search may use, and their SQL.
type grammar struct {
	entities map[string]string    // prefixes of keys, and the entity of each
	filters  map[string]attribute // attributes that filters may name
	orders   map[string]string    // attributes that orders may name: their columns
	// rows are the FROM clauses of an entity's other tables, as x, up to the condition that joins
	// them to the entity.
	rows map[string]string
	// ordersRows allows orders to name them too.
	ordersRows bool
}

// attribute is a column that filters may name.
type attribute struct {
	sql     string
	numeric bool
	list    bool // takes IN and NOT IN
}

// parseFilter reads MLflow's filters: comparisons joined by AND.
//
//	filter     = [ comparison { AND comparison } ]
//	comparison = identifier operator value | identifier [ NOT ] IN ( text { , text } )
//	identifier = [ entity . ] key          keys of other characters in ` or "
//	value      = number | 'text' | "text"
func (g *grammar) parseFilter(filter string) ([]clause, error) {
	tokens, err := lex(filter)
	if err != nil {
		return nil, err
	}
	p := &parser{grammar: g, tokens: tokens}
	var out []clause
	for len(p.tokens) > 0 {
		if len(out) == maxClauses {
			return nil, invalid("a filter takes at most %d comparisons", maxClauses)
		}
		if len(out) > 0 && !p.keyword("AND") {
			return nil, invalid("Invalid clause(s) in filter string: '%s'. Comparisons are joined by AND.", shorten(p.tokens[0].text))
		}
		c, err := p.comparison()
		if err != nil {
			return nil, err
		}
		out = append(out, c)
	}
	return out, nil
}

type parser struct {
	grammar *grammar
	tokens  []token // those not yet read
}

// keyword consumes the next token if it is this word, in any case.
func (p *parser) keyword(name string) bool {
	if len(p.tokens) > 0 && p.tokens[0].kind == word && strings.EqualFold(p.tokens[0].text, name) {
		p.tokens = p.tokens[1:]
		return true
	}
	return false
}

func (p *parser) take() (token, error) {
	if len(p.tokens) == 0 {
		return token{}, invalid("Invalid comparison clause. Expected 3 tokens: the filter ends within a comparison.")
	}
	t := p.tokens[0]
	p.tokens = p.tokens[1:]
	return t, nil
}

func (p *parser) comparison() (clause, error) {
	name, err := p.take()
	if err != nil {
		return clause{}, err
	}
	if name.kind != word {
		return clause{}, invalid("Invalid comparison clause. Expected 'Identifier' found '%s'", shorten(name.text))
	}
	var c clause
	if c.entity, c.key, err = p.grammar.identifier(name.text); err != nil {
		return clause{}, err
	}
	a, known := p.grammar.filters[c.key]
	if c.entity == "attribute" && !known {
		return clause{}, invalid("Invalid attribute key '%s' specified. Valid keys are %s", shorten(c.key), names(p.grammar.filters))
	}
	if c.compare, err = p.operator(); err != nil {
		return clause{}, err
	}
	if c.entity == "metric" || c.entity == "attribute" && a.numeric {
		err = p.number(&c)
	} else {
		err = p.text(&c, c.entity == "attribute" && a.list)
	}
	return c, err
}

func (p *parser) operator() (string, error) {
	t, err := p.take()
	if err != nil {
		return "", err
	}
	switch name := strings.ToUpper(t.text); {
	case t.kind == operator:
		return t.text, nil
	case t.kind != word:
	case name == "LIKE" || name == "ILIKE" || name == "IN":
		return name, nil
	case name == "NOT" && p.keyword("IN"):
		return "NOT IN", nil
	}
	return "", invalid("Invalid comparison clause. Expected comparison found '%s'", shorten(t.text))
}

func badComparator(c clause, valid []string) error {
	return invalid("Invalid comparator '%s' not one of '%s'", c.compare, strings.Join(valid, ", "))
}

func (p *parser) number(c *clause) error {
	if !slices.Contains(numeric, c.compare) {
		return badComparator(*c, numeric)
	}
	t, err := p.take()
	if err != nil {
		return err
	}
	if t.kind != number {
		return invalid("Expected numeric value type for %s: %s. Found %s", c.entity, shorten(c.key), shorten(t.text))
	}
	if n, err := strconv.ParseInt(t.text, 10, 64); err == nil {
		c.number = n
		return nil
	}
	f, err := strconv.ParseFloat(t.text, 64)
	if err != nil {
		return invalid("Expected numeric value type for %s: %s. Found %s, which is too large", c.entity, shorten(c.key), shorten(t.text))
	}
	c.number = f
	return nil
}

func (p *parser) text(c *clause, listed bool) error {
	valid := textual
	if listed {
		valid = append(slices.Clone(textual), "IN", "NOT IN")
	}
	if !slices.Contains(valid, c.compare) {
		return badComparator(*c, valid)
	}
	if strings.HasSuffix(c.compare, "IN") {
		return p.texts(c)
	}
	t, err := p.take()
	if err != nil {
		return err
	}
	if t.kind != quoted {
		return invalid("Expected a quoted string value for %s (e.g. 'my-value'). Got value %s", c.entity, shorten(t.text))
	}
	if strings.HasSuffix(c.compare, "LIKE") && len(t.text) > maxPattern {
		return invalid("a pattern takes at most %d bytes", maxPattern)
	}
	c.text = t.text
	return nil
}

// texts reads a list in parentheses.
func (p *parser) texts(c *clause) error {
	bad := invalid("While parsing a list in the query, expected a non-empty list of string values, like ('a', 'b').")
	for want := open; ; want = comma {
		t, err := p.take()
		if err != nil {
			return err
		}
		if want == comma && t.kind == closing {
			return nil
		}
		if t.kind != want {
			return bad
		}
		if t, err = p.take(); err != nil {
			return err
		}
		if t.kind != quoted {
			return bad
		}
		c.list = append(c.list, t.text)
	}
}
