package journal

import (
	"context"
	"errors"
	"fmt"
)

// outbox is the box of all that waits to be delivered, among the inboxes, which have
// their agents' names.
const outbox = ""

// boxes counts what waits, so that no post has to. It belongs to the writer's
// goroutine, and stands as its transaction does: each step is kept until the
// transaction ends, to be taken back with it.
type boxes struct {
	waiting map[string]int
	steps   []step
	last    int64 // the highest number that an event has: its id, or its place in a box
}

type step struct {
	box string
	by  int
}

// next is a number that no event of either box has, and larger than all of them.
func (b *boxes) next() int64 { return b.last + 1 }

// put notes that n events came to wait in a box, 1 or none: the one under the next number.
func (b *boxes) put(box string, n int64) {
	b.last += n
	b.add(box, int(n))
}

// gone notes that n events do not wait in a box any more.
func (b *boxes) gone(box string, n int64) { b.add(box, -int(n)) }

func (b *boxes) add(box string, n int) {
	b.move(box, n)
	b.steps = append(b.steps, step{box, n})
}

func (b *boxes) move(box string, n int) {
	if b.waiting[box] += n; b.waiting[box] == 0 {
		delete(b.waiting, box)
	}
}

// mark is where a part of a transaction begins; rewind takes back what came after it.
func (b *boxes) mark() int { return len(b.steps) }

func (b *boxes) rewind(mark int) {
	for _, s := range b.steps[mark:] {
		b.move(s.box, -s.by)
	}
	b.steps = b.steps[:mark]
}

// keep makes the steps final: they are on the disk.
func (b *boxes) keep() { b.steps = b.steps[:0] }

// count reads the boxes from the file.
func (s *store) count(ctx context.Context) error {
	s.boxes = boxes{waiting: map[string]int{}}
	rows, err := s.conn.QueryContext(ctx, `SELECT agent, count(*), max(place) FROM inbox WHERE state = 'waiting' GROUP BY agent
		UNION ALL SELECT '', count(*), coalesce(max(place), 0) FROM outbox WHERE state = 'waiting'
		UNION ALL SELECT '', 0, max((SELECT coalesce(max(seq), 0) FROM inbox), (SELECT coalesce(max(seq), 0) FROM outbox),
			(SELECT CAST(value AS INTEGER) FROM meta WHERE key = 'mail'))`)
	if err != nil {
		return fmt.Errorf("count the events that wait: %w", err)
	}
	for err == nil && rows.Next() {
		var box string
		var n int
		var highest int64
		err = rows.Scan(&box, &n, &highest)
		s.boxes.move(box, n)
		s.boxes.last = max(s.boxes.last, highest)
	}
	if err := errors.Join(err, rows.Err(), rows.Close()); err != nil {
		return fmt.Errorf("count the events that wait: %w", err)
	}
	return nil
}

// saveNumber has the numbers go on from here even when the rows that bear them are gone.
func (s *store) saveNumber(ctx context.Context) error {
	return s.exec(ctx, `UPDATE meta SET value = ?1 WHERE key = 'mail' AND CAST(value AS INTEGER) < ?1`, s.boxes.last)
}
