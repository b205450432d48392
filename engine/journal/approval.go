package journal

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/jsonvalue"
)

var _ engine.ApprovalStore = (*Journal)(nil)

// encodedApproval is a change of an approval, encoded before the transaction.
type encodedApproval struct {
	engine.ApprovalChange
	endedAt any // in nanoseconds; nil if it has not ended
	body    []byte
}

// Approvals returns approvals in the order in which they were requested; see engine.ApprovalStore.
func (j *Journal) Approvals(ctx context.Context, agent string, since time.Time) ([]engine.Approval, error) {
	out, err := j.approvals(ctx, `SELECT body FROM approvals WHERE seq IN (SELECT seq FROM approvals WHERE ended IS NULL
		UNION ALL SELECT seq FROM approvals WHERE ended >= ?2) AND ?1 IN ('', agent) ORDER BY seq`, agent, nanos(since))
	if err != nil {
		return nil, fmt.Errorf("read the approvals: %w", err)
	}
	return out, nil
}

// ApprovalsWaiting counts the waiting approvals, with expiry rounded to seconds; see
// engine.ApprovalStore.
func (j *Journal) ApprovalsWaiting(ctx context.Context, now time.Time) (int, error) {
	n, err := j.queryInt(ctx, countWaitingApprovals, now.Unix())
	if err != nil {
		return 0, fmt.Errorf("count the approvals: %w", err)
	}
	return int(n), nil
}

const countWaitingApprovals = `SELECT count(*) FROM approvals WHERE ended IS NULL AND state = 'waiting'
	AND unixepoch(json_extract(CAST(body AS TEXT), '$.expires')) > ?`

// Approval returns an approval; see engine.ApprovalStore.
func (j *Journal) Approval(ctx context.Context, id string) (engine.Approval, error) {
	out, err := j.approvals(ctx, `SELECT body FROM approvals WHERE id = ?`, id)
	if err == nil && len(out) == 0 {
		err = engine.ErrNoApproval
	}
	if err != nil {
		return engine.Approval{}, fmt.Errorf("read approval %s: %w", id, err)
	}
	return out[0], nil
}

func (j *Journal) approvals(ctx context.Context, query string, args ...any) ([]engine.Approval, error) {
	var out []engine.Approval
	err := j.each(ctx, func(rows *sql.Rows) error {
		var body []byte
		if err := rows.Scan(&body); err != nil {
			return err
		}
		var a engine.Approval
		err := jsonvalue.Unmarshal(body, &a)
		out = append(out, a)
		return err
	}, query, args...)
	return out, err
}

// SaveApproval writes a single change; see engine.ApprovalStore. The change of an unknown approval
// is both an engine.ErrApprovalState and an engine.ErrNoApproval.
func (j *Journal) SaveApproval(ctx context.Context, c engine.ApprovalChange) error {
	ready, err := j.encodeApproval(c)
	if err == nil {
		err = j.writer.do(ctx, func(ctx context.Context, s *store) error { return s.saveApproval(ctx, ready) })
	}
	if err != nil {
		return fmt.Errorf("save approval %s: %w", c.Approval.ID, err)
	}
	return nil
}

func (j *Journal) encodeApproval(c engine.ApprovalChange) (encodedApproval, error) {
	out := encodedApproval{ApprovalChange: c}
	a := &c.Approval
	if a.ID == "" || a.Agent == "" || a.State == "" {
		return out, errors.New("an approval needs an id, an agent and a state")
	}
	if a.State.Ended() {
		ended := a.Ended
		if ended.IsZero() {
			ended = j.opts.Clock.Now()
		}
		out.endedAt = nanos(ended)
	}
	var err error
	out.body, err = json.Marshal(a)
	return out, err
}

func (s *store) saveApproval(ctx context.Context, c encodedApproval) error {
	a := &c.Approval
	var n int64
	var err error
	if c.From == "" {
		n, err = s.execCount(ctx, `INSERT INTO approvals (id, agent, state, ended, body) VALUES (?, ?, ?, ?, ?) ON CONFLICT (id) DO NOTHING`,
			a.ID, a.Agent, string(a.State), c.endedAt, c.body)
	} else {
		n, err = s.execCount(ctx, `UPDATE approvals SET agent = ?, state = ?, ended = ?, body = ? WHERE id = ? AND state = ?`,
			a.Agent, string(a.State), c.endedAt, c.body, a.ID, string(c.From))
	}
	if err != nil || n == 1 {
		return err
	}
	var state engine.ApprovalState
	err = s.queryRow(ctx, `SELECT state FROM approvals WHERE id = ?`, []any{a.ID}, &state)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return fmt.Errorf("%w: %w", engine.ErrApprovalState, engine.ErrNoApproval)
	case err != nil:
		return err
	}
	return fmt.Errorf("it is %s: %w", state, engine.ErrApprovalState)
}
