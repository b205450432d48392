package tracker

import (
	"cmp"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strings"

	"pgregory.net/rapid"
)

// naiveRun is a run in memory, without a database.
type naiveRun struct {
	id, name, status string
	started          int64
	ended            *int64
	points           []naivePoint
	params, tags     map[string]string
}

type naivePoint struct {
	key      string
	value    float64
	at, step int64
}

// metric returns the latest value of a metric, nil if there is none.
func (r *naiveRun) metric(key string) *float64 {
	var last *naivePoint
	rank := func(p naivePoint) []float64 {
		if math.IsNaN(p.value) {
			return []float64{float64(p.step), float64(p.at), 0}
		}
		return []float64{float64(p.step), float64(p.at), p.value}
	}
	for _, p := range r.points {
		if p.key == key && (last == nil || slices.Compare(rank(p), rank(*last)) > 0) {
			last = &p
		}
	}
	if last == nil {
		return nil
	}
	return &last.value
}

// value returns a run's value of a key: a float64, a string, or nil.
func (r *naiveRun) value(entity, key string) any {
	text := func(m map[string]string) any {
		if v, ok := m[key]; ok {
			return v
		}
		return nil
	}
	switch entity + "." + key {
	case "attribute.run_id":
		return r.id
	case "attribute.run_name":
		return r.name
	case "attribute.status":
		return r.status
	case "attribute.start_time":
		return float64(r.started)
	case "attribute.end_time":
		if r.ended == nil {
			return nil
		}
		return float64(*r.ended)
	}
	switch entity {
	case "parameter":
		return text(r.params)
	case "tag":
		return text(r.tags)
	}
	if v := r.metric(key); v != nil {
		return *v
	}
	return nil
}

// matches reports whether a run satisfies a clause.
func (r *naiveRun) matches(c clause) bool {
	switch v := r.value(c.entity, c.key).(type) {
	case float64:
		return compares(v, c.compare, number64(c.number))
	case string:
		switch c.compare {
		case "LIKE":
			return like(v, c.text)
		case "ILIKE":
			return like(strings.ToLower(v), strings.ToLower(c.text))
		case "IN":
			return slices.Contains(c.list, v)
		case "NOT IN":
			return !slices.Contains(c.list, v)
		}
		return compares(v, c.compare, c.text)
	}
	return false
}

func number64(n any) float64 {
	if i, ok := n.(int64); ok {
		return float64(i)
	}
	return n.(float64)
}

func compares[T cmp.Ordered](a T, how string, b T) bool {
	switch how {
	case "=":
		return a == b
	case "!=":
		return a != b
	case ">":
		return a > b
	case ">=":
		return a >= b
	case "<":
		return a < b
	}
	return a <= b
}

func like(s, pattern string) bool {
	quoted := strings.NewReplacer("%", ".*", "_", ".").Replace(regexp.QuoteMeta(pattern))
	return regexp.MustCompile("(?s)^" + quoted + "$").MatchString(s)
}

// before orders two runs by the requested keys, then the newest first, then by id.
func before(a, b *naiveRun, by []order) int {
	for _, o := range by {
		x, y := a.value(o.entity, o.key), b.value(o.entity, o.key)
		if n := cmp.Compare(absence(x), absence(y)); n != 0 {
			return n
		}
		n := 0
		switch x := x.(type) {
		case string:
			n = cmp.Compare(x, y.(string))
		case float64:
			if !math.IsNaN(x) {
				n = cmp.Compare(x, y.(float64))
			}
		}
		if o.direction != "" {
			n = -n
		}
		if n != 0 {
			return n
		}
	}
	timed := slices.ContainsFunc(by, func(o order) bool { return o.key == "start_time" && o.entity == "attribute" })
	if n := cmp.Compare(b.started, a.started); n != 0 && !timed {
		return n
	}
	return cmp.Compare(a.id, b.id)
}

// absence orders values before NaN, and NaN before nil.
func absence(v any) int {
	switch v := v.(type) {
	case nil:
		return 2
	case float64:
		if math.IsNaN(v) {
			return 1
		}
	}
	return 0
}

// The keys and values of runs, few enough for searches to match some of the runs.
var (
	someKeys   = rapid.SampledFrom([]string{"a", "b c", "d.e"})
	someTexts  = rapid.SampledFrom([]string{"", "x", "X", "xy", "x_y", "100%", "it's", "Tree"})
	someLike   = rapid.SampledFrom([]string{"%", "x%", "_", "X_", "%y", "t%E", "100%", "x_y", ""})
	someValues = rapid.SampledFrom([]float64{-1, 0, 0.5, 1, 2, 1e300, math.NaN()})
	someBounds = rapid.SampledFrom([]any{int64(-1), int64(0), 0.5, int64(1), 1.5, 1e300})
	someStates = rapid.SampledFrom([]string{"RUNNING", "FINISHED", "FAILED"})
)

// drawClause draws a comparison and its text.
func drawClause(t *rapid.T, ids []string) (clause, string) {
	c := clause{entity: rapid.SampledFrom([]string{"metric", "parameter", "tag", "attribute"}).Draw(t, "entity"), key: someKeys.Draw(t, "key")}
	isNumber := c.entity == "metric"
	if c.entity == "attribute" {
		c.key = rapid.SampledFrom([]string{"run_id", "run_name", "status", "start_time", "end_time"}).Draw(t, "attribute")
		isNumber = strings.HasSuffix(c.key, "_time")
	}
	name := map[string]string{"metric": "metrics", "parameter": "params", "tag": "tags", "attribute": "attributes"}[c.entity] + ".`" + c.key + "`"
	if isNumber {
		c.compare, c.number = rapid.SampledFrom(numeric).Draw(t, "compare"), someBounds.Draw(t, "bound")
		return c, fmt.Sprintf("%s %s %v", name, c.compare, c.number)
	}
	if c.key == "run_id" && len(ids) > 0 {
		c.compare, c.list = rapid.SampledFrom([]string{"IN", "NOT IN"}).Draw(t, "compare"), rapid.SliceOfN(rapid.SampledFrom(ids), 1, 3).Draw(t, "ids")
		return c, name + " " + c.compare + " ('" + strings.Join(c.list, "', '") + "')"
	}
	c.compare, c.text = rapid.SampledFrom(textual).Draw(t, "compare"), someTexts.Draw(t, "text")
	switch {
	case strings.HasSuffix(c.compare, "LIKE"):
		c.text = someLike.Draw(t, "pattern")
	case c.key == "status":
		c.text = someStates.Draw(t, "status")
	}
	return c, name + " " + rapid.SampledFrom([]string{c.compare, strings.ToLower(c.compare)}).Draw(t, "case") + ` "` + c.text + `"`
}

// drawOrder draws an order and its text.
func drawOrder(t *rapid.T) (order, string) {
	o := order{entity: rapid.SampledFrom([]string{"metric", "parameter", "tag", "attribute"}).Draw(t, "entity"), key: someKeys.Draw(t, "key")}
	if o.entity == "attribute" {
		o.key = rapid.SampledFrom([]string{"run_name", "status", "start_time", "end_time"}).Draw(t, "attribute")
	}
	if rapid.Bool().Draw(t, "descending") {
		o.direction = " DESC"
	}
	return o, o.entity + ".`" + o.key + "`" + o.direction
}
