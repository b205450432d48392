package journal

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/scanflow-k8s/scanflow/engine"
)

// Outbox returns waiting deliveries, up to a limit for each lane (destination and source); see
// engine.Queue. It goes through the lanes by the index, so the deliveries beyond the limit of a
// lane cost nothing. A negative limit means none.
func (j *Journal) Outbox(ctx context.Context, limit int) ([]engine.Delivery, error) {
	var out []engine.Delivery
	err := j.each(ctx, func(rows *sql.Rows) error {
		var d engine.Delivery
		var seq, queued int64
		var body []byte
		if err := rows.Scan(&seq, &d.To.URL, &d.To.Agent, &queued, &body); err != nil {
			return err
		}
		d.ID, d.Queued = queueItemID(outboxPrefix, seq), timeOf(queued)
		err := decodeForDelivery(body, &d.Event)
		out = append(out, d)
		return err
	}, waitingByLane, limit)
	if err != nil {
		return nil, fmt.Errorf("read the outbox: %w", err)
	}
	return out, nil
}

// waitingByLane finds the first row of each lane after that of the previous lane, with three
// seeks: a comparison of (url, agent, source) would only seek by the url.
const waitingByLane = `WITH RECURSIVE heads (seq) AS (
		SELECT (SELECT seq FROM outbox WHERE state = 'waiting' ORDER BY url, agent, source, place LIMIT 1)
		UNION ALL
		SELECT coalesce(
			(SELECT seq FROM outbox WHERE state = 'waiting' AND url = h.url AND agent = h.agent AND source > h.source ORDER BY source, place LIMIT 1),
			(SELECT seq FROM outbox WHERE state = 'waiting' AND url = h.url AND agent > h.agent ORDER BY agent, source, place LIMIT 1),
			(SELECT seq FROM outbox WHERE state = 'waiting' AND url > h.url ORDER BY url, agent, source, place LIMIT 1))
		FROM heads CROSS JOIN outbox h ON h.seq = heads.seq)
	SELECT o.seq, o.url, o.agent, o.since, o.body FROM heads CROSS JOIN outbox h ON h.seq = heads.seq CROSS JOIN outbox o ON o.seq IN (
		SELECT seq FROM outbox WHERE state = 'waiting' AND url = h.url AND agent = h.agent AND source = h.source ORDER BY place LIMIT ?1)
	ORDER BY o.place`

// decodeForDelivery decodes an event except for its data, which is only forwarded.
func decodeForDelivery(body []byte, e *engine.Event) error {
	var decoded struct {
		engine.Event
		Data json.RawMessage `json:"data,omitempty"`
	}
	if err := json.Unmarshal(body, &decoded); err != nil {
		return err
	}
	if *e = decoded.Event; decoded.Data != nil {
		e.Data = decoded.Data
	}
	return nil
}

// encodedSettlement is the result of a delivery, encoded before the transaction.
type encodedSettlement struct {
	seq   int64
	state engine.DeliveryState
	why   string
	at    int64
	// outcome is the outcome of a call; nil for an event.
	outcome *engine.Outcome
}

// Settle records the results of deliveries, all or none; see engine.Queue. A delivery that no
// longer waits stays unchanged.
func (j *Journal) Ack(ctx context.Context, settled []engine.Ack) error {
	if len(settled) == 0 {
		return nil
	}
	encoded := make([]encodedSettlement, len(settled))
	var errs []error
	for i, st := range settled {
		seq, ok := parseQueueItemID(outboxPrefix, st.ID)
		switch {
		case !ok:
			errs = append(errs, fmt.Errorf("settle %q: an id is %sNUMBER", st.ID, outboxPrefix))
		case st.State != engine.Delivered && st.State != engine.UnwantedThere && st.State != engine.Undeliverable && st.State != engine.Dropped:
			errs = append(errs, fmt.Errorf("settle %s: %q is no end of a delivery", st.ID, st.State))
		}
		if st.At.IsZero() {
			st.At = j.opts.Clock.Now()
		}
		encoded[i] = encodedSettlement{seq, st.State, st.Why, nanos(st.At), st.Outcome}
	}
	if len(errs) > 0 {
		return errors.Join(errs...)
	}
	if err := j.writer.do(ctx, func(ctx context.Context, s *store) error {
		for _, st := range encoded {
			if err := s.settle(ctx, st); err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		return fmt.Errorf("settle %d deliveries: %w", len(settled), err)
	}
	return nil
}

func (s *store) settle(ctx context.Context, st encodedSettlement) error {
	if st.state == engine.UnwantedThere {
		last, err := s.unwantedByAll(ctx, st.seq)
		if err != nil {
			return err
		}
		if last {
			st.state = engine.Undeliverable
		}
	}
	bytes, err := s.bodyLength(ctx, `SELECT octet_length(body) FROM outbox WHERE seq = ? AND state = 'waiting'`, st.seq)
	if err != nil {
		return err
	}
	n, err := s.execCount(ctx, `UPDATE outbox SET state = ?1, since = ?2, why = ?3, body = CASE ?1 WHEN 'dead' THEN body END WHERE seq = ?4 AND state = 'waiting'`,
		string(st.state), st.at, st.why, st.seq)
	s.sizes.removed(outboxQueue, n, bytes)
	if err != nil || n == 0 || st.outcome == nil {
		return err
	}
	n, err = s.execCount(ctx, `UPDATE acts SET status = ?, detail = ?, applied = ?, ended = ? WHERE identity = (SELECT id FROM outbox WHERE seq = ?) AND status IS NULL`,
		string(st.outcome.Status), st.outcome.Detail, st.outcome.Applied, st.at, st.seq)
	if err != nil || n > 0 {
		return err
	}
	var identity string
	if err := s.queryRow(ctx, `SELECT id FROM outbox WHERE seq = ?`, []any{st.seq}, &identity); err != nil {
		return err
	}
	return s.sentAgain(ctx, engine.Conclusion{Identity: identity, Outcome: *st.outcome, At: timeOf(st.at)})
}

// SentAgain records that a failed act was sent again by a person and delivered. It has no
// effect in any other case.
func (j *Journal) SentAgain(ctx context.Context, c engine.Conclusion) error {
	if err := j.writer.do(ctx, func(ctx context.Context, s *store) error { return s.sentAgain(ctx, c) }); err != nil {
		return fmt.Errorf("conclude %s: %w", c.Identity, err)
	}
	return nil
}

func (s *store) sentAgain(ctx context.Context, c engine.Conclusion) error {
	if c.Outcome.Status != engine.Done {
		return nil
	}
	failed := engine.Outcome{Status: engine.Failed}
	err := s.queryRow(ctx, `SELECT detail FROM acts WHERE identity = ? AND status = 'failed'`, []any{c.Identity}, &failed.Detail)
	if errors.Is(err, sql.ErrNoRows) {
		return nil
	}
	if err != nil {
		return err
	}
	out := engine.OutcomeOfRedelivery(failed, c.Outcome)
	_, err = s.execCount(ctx, `UPDATE acts SET status = ?, detail = ?, applied = ?, ended = ? WHERE identity = ?`,
		string(out.Status), out.Detail, out.Applied, nanos(c.At), c.Identity)
	return err
}

// unwantedByAll reports whether a waiting delivery is the last of its event, and neither an
// inbox here nor another destination has accepted the event.
func (s *store) unwantedByAll(ctx context.Context, seq int64) (bool, error) {
	var all bool
	err := s.queryRow(ctx, `SELECT NOT EXISTS (SELECT 1 FROM outbox o WHERE o.source = d.source AND o.id = d.id AND o.seq <> d.seq AND o.state IN ('waiting', 'delivered'))
		AND NOT EXISTS (SELECT 1 FROM inbox i WHERE i.source = d.source AND i.id = d.id) FROM outbox d WHERE d.seq = ?`, []any{seq}, &all)
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	return all, err
}
