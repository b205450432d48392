package mistake

import "fmt"

// collected bounds the mistakes that a Collector keeps.
const collected = 50

// Collector gathers the mistakes in what a client sent, of which there can be hundreds of
// thousands: it keeps the first ones and counts the rest.
type Collector struct {
	kept Mistakes
	more int
}

// Add keeps or counts mistakes.
func (c *Collector) Add(found ...Mistake) {
	n := min(len(found), collected-len(c.kept))
	c.kept = append(c.kept, found[:n]...)
	c.more += len(found) - n
}

// AddAll adds the mistakes of another Collector, as those of an object.
func (c *Collector) AddAll(object string, from Collector) {
	for _, m := range from.kept {
		m.Object = object
		c.Add(m)
	}
	c.more += from.more
}

// Err is the mistakes as an error, nil if there are none. The last one says how many were
// not kept.
func (c *Collector) Err() error {
	if c.more > 0 {
		return append(c.kept, Mistake{Message: fmt.Sprintf("%d more mistakes are not shown", c.more)})
	}
	return c.kept.Err()
}
