package hostile

import (
	"fmt"
	"strings"
)

// batches are arrays of events.
func batches(large int) (out []Payload) {
	add := func(name, body string, status ...int) { out = append(out, events(Batched, name, body, status...)) }
	many := func(n int, more string) string {
		all := make([]string, n)
		for i := range all {
			all[i] = object(fmt.Sprintf("%d-%d", n, i), more)
		}
		return "[" + strings.Join(all, ",") + "]"
	}
	add("a batch of batches", "["+many(3, "")+"]", 400)
	add("batches of batches without end", repeat("[", large), 400)
	add("a batch with a bad one", "["+object("good", "")+`,{"specversion":"1.0","id":"bad"}]`, 400)
	add("a batch with half of one", "["+object("good", "")+`,{"specversion":`, 400)
	add("a batch with a bad number", "["+object("good", "")+","+object("bad", `,"data":1e100000`)+"]", 400)
	add("a batch of one too many", many(1001, ""), 413)
	add("a batch of nothings", list("{}", large), 413)
	add("a batch of numbers", list("1", large), 413)
	add("a batch of nulls", "["+strings.Repeat("null,", 500)+"null]", 400)
	add("a batch of bad ones", "["+strings.Repeat(`{"A":1,"B":2,"C":3},`, 900)+"{}]", 400)
	add("a batch of large ones", many(3, `,"data":"`+Secret+repeat("x", large/4)+`"`), 202)
	add("a batch of many values each", many(4, `,"data":`+list("[]", min(large/4, 240_000))), 413)
	add("a batch with one of many values", "["+object("good", "")+","+object("many", `,"data":`+list("[]", large/2))+"]", 413)
	add("a batch of one event again and again", "["+strings.Repeat(object("again", "")+",", 999)+object("again", "")+"]", 202)
	add("a batch of nobody", "[]", 202)
	add("a batch that is an object", object("object", ""), 400)
	add("a batch without end", "["+object("end", "")+",", 400)
	add("a batch and more", "[]"+object("more", ""), 400)
	add("a batch without commas", "["+object("1", "")+object("2", "")+"]", 400)
	return out
}
