package journal

import (
	"context"
	"database/sql"
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
	bytes   int64 // of the events that wait, in all boxes
	steps   []step
	last    int64 // the highest number that an event has: its id, or its place in a box
}

type step struct {
	box   string
	by    int
	bytes int64
}

// next is a number that no event of either box has, and larger than all of them.
func (b *boxes) next() int64 { return b.last + 1 }

// put notes that n events of so many bytes came to wait in a box, 1 or none: the one
// under the next number.
func (b *boxes) put(box string, n, bytes int64) {
	b.last += n
	b.add(step{box, int(n), n * bytes})
}

// gone notes that n events of so many bytes do not wait in a box any more, 1 or none.
func (b *boxes) gone(box string, n, bytes int64) { b.add(step{box, -int(n), -n * bytes}) }

func (b *boxes) add(s step) {
	b.move(s)
	b.steps = append(b.steps, s)
}

func (b *boxes) move(s step) {
	b.bytes += s.bytes
	if b.waiting[s.box] += s.by; b.waiting[s.box] == 0 {
		delete(b.waiting, s.box)
	}
}

// mark is where a part of a transaction begins; rewind takes back what came after it.
func (b *boxes) mark() int { return len(b.steps) }

func (b *boxes) rewind(mark int) {
	for _, s := range b.steps[mark:] {
		b.move(step{s.box, -s.by, -s.bytes})
	}
	b.steps = b.steps[:mark]
}

// keep makes the steps final: they are on the disk.
func (b *boxes) keep() { b.steps = b.steps[:0] }

// count reads the boxes from the file.
func (s *store) count(ctx context.Context) error {
	s.boxes = boxes{waiting: map[string]int{}}
	rows, err := s.conn.QueryContext(ctx, `SELECT agent, count(*), total(octet_length(body)), max(place) FROM inbox WHERE state = 'waiting' GROUP BY agent
		UNION ALL SELECT '', count(*), total(octet_length(body)), coalesce(max(place), 0) FROM outbox WHERE state = 'waiting'
		UNION ALL SELECT '', 0, 0, max((SELECT coalesce(max(seq), 0) FROM inbox), (SELECT coalesce(max(seq), 0) FROM outbox),
			(SELECT CAST(value AS INTEGER) FROM meta WHERE key = 'mail'))`)
	if err != nil {
		return fmt.Errorf("count the events that wait: %w", err)
	}
	for err == nil && rows.Next() {
		var box string
		var n int
		var bytes float64
		var highest int64
		err = rows.Scan(&box, &n, &bytes, &highest)
		s.boxes.move(step{box, n, int64(bytes)})
		s.boxes.last = max(s.boxes.last, highest)
	}
	if err := errors.Join(err, rows.Err(), rows.Close()); err != nil {
		return fmt.Errorf("count the events that wait: %w", err)
	}
	return nil
}

// bytesOf is what an event that waits takes, by a query for the length of its body; 0
// where none waits. The length is asked for alone, so that the body is not read.
func (s *store) bytesOf(ctx context.Context, query string, args ...any) (bytes int64, err error) {
	if err = s.row(ctx, query, args, &bytes); errors.Is(err, sql.ErrNoRows) {
		return 0, nil
	}
	return bytes, err
}

// saveNumber has the numbers go on from here even when the rows that bear them are gone.
func (s *store) saveNumber(ctx context.Context) error {
	return s.exec(ctx, `UPDATE meta SET value = ?1 WHERE key = 'mail' AND CAST(value AS INTEGER) < ?1`, s.boxes.last)
}
