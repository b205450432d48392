package journal

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/jsonvalue"
)

// The id of a queued event or a dead letter: a prefix for its queue, and a number that is
// unique in the file.
const (
	inboxPrefix  = "in-"
	outboxPrefix = "out-"
)

func queueItemID(prefix string, seq int64) string { return prefix + strconv.FormatInt(seq, 10) }

func parseQueueItemID(prefix, id string) (int64, bool) {
	digits, ok := strings.CutPrefix(id, prefix)
	if !ok {
		return 0, false
	}
	n, err := strconv.ParseUint(digits, 10, 63)
	return int64(n), err == nil && n > 0
}

// Letters lists waiting events and dead letters of all queues, oldest first; see engine.Queue.
// It reads all that an agent has, and is meant for interactive use. A negative limit means
// none.
func (j *Journal) Messages(ctx context.Context, agent string, limit int) ([]engine.Message, error) {
	var out []engine.Message
	err := j.each(ctx, func(rows *sql.Rows) error {
		l, err := scanQueueItem(rows)
		out = append(out, l)
		return err
	}, selectQueueItems, agent, limit)
	if err != nil {
		return nil, fmt.Errorf("list the events: %w", err)
	}
	return out, nil
}

const selectQueueItems = `SELECT * FROM (SELECT 'in-' AS prefix, 'inbox' AS box, seq, agent, '' AS url, since, why, body FROM inbox WHERE seq IN (
		SELECT seq FROM inbox WHERE state = 'waiting' AND ?1 IN ('', agent) ORDER BY place LIMIT ?2))
	UNION ALL SELECT * FROM (SELECT 'out-', 'outbox', seq, agent, url, since, '', body FROM outbox WHERE seq IN (
		SELECT seq FROM outbox WHERE state = 'waiting' AND ?1 IN ('', agent) ORDER BY place LIMIT ?2))
	UNION ALL SELECT * FROM (
		SELECT 'in-', 'dead', seq, agent, '', since, why, body FROM inbox WHERE state = 'dead' AND ?1 IN ('', agent)
		UNION ALL SELECT 'out-', 'dead', seq, agent, url, since, why, body FROM outbox WHERE state = 'dead' AND ?1 IN ('', agent)
		ORDER BY since, seq LIMIT ?2)
	ORDER BY since, seq`

// Boxes counts waiting events and dead letters; see engine.Queue. Each count reads a partial
// index that has just these rows.
func (j *Journal) Depths(ctx context.Context) (engine.QueueDepths, error) {
	var b engine.QueueDepths
	if err := j.each(ctx, func(rows *sql.Rows) error { return rows.Scan(&b.Inbox, &b.Outbox, &b.Dead) }, selectQueueCounts); err != nil {
		return b, fmt.Errorf("count the events: %w", err)
	}
	return b, nil
}

const selectQueueCounts = `SELECT (SELECT count(*) FROM inbox WHERE state = 'waiting'), (SELECT count(*) FROM outbox WHERE state = 'waiting'),
	(SELECT count(*) FROM inbox WHERE state = 'dead') + (SELECT count(*) FROM outbox WHERE state = 'dead')`

func scanQueueItem(rows *sql.Rows) (engine.Message, error) {
	var l engine.Message
	var prefix string
	var seq, since int64
	var body []byte
	if err := rows.Scan(&prefix, &l.Box, &seq, &l.Agent, &l.To, &since, &l.Why, &body); err != nil {
		return l, err
	}
	l.ID, l.Since = queueItemID(prefix, seq), timeOf(since)
	return l, jsonvalue.Unmarshal(body, &l.Event)
}

// Resend queues dead letters again, at the end of their queues and with the current time, and
// returns the ids that it found. It ignores the limits of the queues: callers check them.
func (j *Journal) Redeliver(ctx context.Context, ids []string) ([]string, error) {
	at := nanos(j.opts.Clock.Now())
	var found []string
	for part := range slices.Chunk(ids, chunkSize) {
		var revived []string
		if err := j.writer.do(ctx, func(ctx context.Context, s *store) error {
			revived = nil
			for _, id := range part {
				ok, err := s.resend(ctx, id, at)
				if err != nil {
					return err
				}
				if ok {
					revived = append(revived, id)
				}
			}
			return nil
		}); err != nil {
			return found, fmt.Errorf("resend %d events: %w", len(ids), err)
		}
		found = append(found, revived...)
	}
	return found, nil
}

func (s *store) resend(ctx context.Context, id string, at int64) (bool, error) {
	if seq, ok := parseQueueItemID(outboxPrefix, id); ok {
		return s.revive(ctx, `UPDATE outbox SET state = 'waiting', since = ?, place = ?, why = '' WHERE seq = ? AND state = 'dead' RETURNING '', octet_length(body)`, at, seq)
	}
	seq, ok := parseQueueItemID(inboxPrefix, id)
	if !ok {
		return false, nil
	}
	return s.revive(ctx, `UPDATE inbox SET state = 'waiting', since = ?, place = ?, why = '' WHERE seq = ? AND state = 'dead' RETURNING agent, octet_length(body)`, at, seq)
}

// revive queues one dead letter again; false if there is none.
func (s *store) revive(ctx context.Context, update string, at, seq int64) (bool, error) {
	var box string
	var bytes int64
	err := s.queryRow(ctx, update, []any{at, s.sizes.nextSeq(), seq}, &box, &bytes)
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	if err == nil {
		s.sizes.added(box, 1, bytes)
	}
	return err == nil, err
}
