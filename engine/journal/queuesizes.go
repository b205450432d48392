package journal

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
)

// outboxQueue is the key of the outbox in queueSizes. The keys of the inboxes are the agents'
// names.
const outboxQueue = ""

// queueSizes counts the waiting events, so that enqueue need not. Only the writer's goroutine
// uses it. Like the writer's transaction it can be rolled back: changes are recorded until the
// transaction ends.
type queueSizes struct {
	waiting     map[string]int
	bytes       int64 // of the waiting events in all queues
	uncommitted []sizeChange
	lastSeq     int64 // the highest number in use: an event's seq, or its place in a queue
}

type sizeChange struct {
	queue  string
	events int
	bytes  int64
}

// nextSeq returns a number that is larger than that of any event in the inboxes and the
// outbox.
func (q *queueSizes) nextSeq() int64 { return q.lastSeq + 1 }

// added counts n waiting events, 0 or 1, of a size. The event has the next number.
func (q *queueSizes) added(box string, n, bytes int64) {
	q.lastSeq += n
	q.record(sizeChange{box, int(n), n * bytes})
}

// removed counts n events, 0 or 1, of a size, that no longer wait.
func (q *queueSizes) removed(box string, n, bytes int64) {
	q.record(sizeChange{box, -int(n), -n * bytes})
}

func (q *queueSizes) record(s sizeChange) {
	q.apply(s)
	q.uncommitted = append(q.uncommitted, s)
}

func (q *queueSizes) apply(s sizeChange) {
	q.bytes += s.bytes
	if q.waiting[s.queue] += s.events; q.waiting[s.queue] == 0 {
		delete(q.waiting, s.queue)
	}
}

// savepoint marks a position in the transaction; rollbackTo undoes the changes after it.
func (q *queueSizes) savepoint() int { return len(q.uncommitted) }

func (q *queueSizes) rollbackTo(mark int) {
	for _, s := range q.uncommitted[mark:] {
		q.apply(sizeChange{s.queue, -s.events, -s.bytes})
	}
	q.uncommitted = q.uncommitted[:mark]
}

// commit makes the changes final after the transaction is on disk.
func (q *queueSizes) commit() { q.uncommitted = q.uncommitted[:0] }

// loadQueueSizes counts the queues in the file.
func (s *store) loadQueueSizes(ctx context.Context) error {
	s.sizes = queueSizes{waiting: map[string]int{}}
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
		s.sizes.apply(sizeChange{box, n, int64(bytes)})
		s.sizes.lastSeq = max(s.sizes.lastSeq, highest)
	}
	if err := errors.Join(err, rows.Err(), rows.Close()); err != nil {
		return fmt.Errorf("count the events that wait: %w", err)
	}
	return nil
}

// bodyLength returns the length of a waiting event's body by a query; 0 if no such event
// waits. The query selects only the length, so that SQLite does not read the body.
func (s *store) bodyLength(ctx context.Context, query string, args ...any) (bytes int64, err error) {
	if err = s.queryRow(ctx, query, args, &bytes); errors.Is(err, sql.ErrNoRows) {
		return 0, nil
	}
	return bytes, err
}

// saveLastSeq makes the numbers continue even if the rows with the highest ones are deleted.
func (s *store) saveLastSeq(ctx context.Context) error {
	return s.exec(ctx, `UPDATE meta SET value = ?1 WHERE key = 'mail' AND CAST(value AS INTEGER) < ?1`, s.sizes.lastSeq)
}
