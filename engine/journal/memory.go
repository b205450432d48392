package journal

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/jsonvalue"
)

const actColumns = `identity, agent, namespace, name, kind, strategy, verb, at, body, status, detail, applied, ended`

// Open returns the intents without a conclusion, oldest first; see engine.Journal. The
// proposal of each change has what is stored with the intent: the agent, the target's id, the
// strategy, the verb, its parameters and the identity.
func (j *Journal) Open(ctx context.Context, agent string) ([]engine.Intent, error) {
	acts, err := j.acts(ctx, `SELECT `+actColumns+` FROM acts WHERE agent = ? AND status IS NULL ORDER BY seq`, agent)
	if err != nil {
		return nil, fmt.Errorf("read the open intents of %s: %w", agent, err)
	}
	out := make([]engine.Intent, len(acts))
	for i, a := range acts {
		out[i] = a.Intent
	}
	return out, nil
}

// OpenActs counts the intents of all agents that have no outcome.
func (j *Journal) OpenActs(ctx context.Context) (int, error) {
	n, err := j.queryInt(ctx, `SELECT count(*) FROM acts WHERE status IS NULL`)
	if err != nil {
		return 0, fmt.Errorf("count the open intents: %w", err)
	}
	return int(n), nil
}

// Remember returns an agent's acts; see engine.Journal: those that began or ended since a time
// or have not ended, the last one of each target, strategy and verb, and the last applied one
// of each target and verb. The last act is the one that was intended last, regardless of the
// clock.
func (j *Journal) Remember(ctx context.Context, agent string, since time.Time) (engine.Recollection, error) {
	acts, err := j.acts(ctx, `SELECT `+actColumns+` FROM acts WHERE seq IN (
			SELECT max(seq) FROM acts WHERE agent = ?1 GROUP BY namespace, name, kind, strategy, verb
			UNION SELECT max(seq) FROM acts WHERE agent = ?1 AND applied = 1 GROUP BY namespace, name, kind, verb
			UNION SELECT seq FROM acts WHERE agent = ?1 AND at >= ?2
			UNION SELECT seq FROM acts WHERE ended >= ?2 AND +agent = ?1
			UNION SELECT seq FROM acts WHERE agent = ?1 AND status IS NULL)
		ORDER BY at, seq`, agent, nanos(since))
	if err != nil {
		return engine.Recollection{}, fmt.Errorf("read the acts of %s: %w", agent, err)
	}
	notes, err := j.notes(ctx, agent)
	if err != nil {
		return engine.Recollection{}, fmt.Errorf("read the notes of %s: %w", agent, err)
	}
	return engine.Recollection{Acts: acts, Notes: notes}, nil
}

func (j *Journal) acts(ctx context.Context, query string, args ...any) ([]engine.Act, error) {
	var acts []engine.Act
	err := j.each(ctx, func(rows *sql.Rows) error {
		a, err := scanAct(rows)
		acts = append(acts, a)
		return err
	}, query, args...)
	return acts, err
}

func scanAct(rows *sql.Rows) (engine.Act, error) {
	var (
		a       engine.Act
		at      int64
		raw     []byte
		status  sql.NullString
		detail  sql.NullString
		ended   sql.NullInt64
		applied bool
		body    actBody
	)
	if err := rows.Scan(&a.Identity, &a.Agent, &a.Target.Namespace, &a.Target.Name, &a.Target.Kind, &a.Strategy, &a.Primitive,
		&at, &raw, &status, &detail, &applied, &ended); err != nil {
		return a, err
	}
	if err := jsonvalue.Unmarshal(raw, &body); err != nil {
		return a, fmt.Errorf("act %s: %w", a.Identity, err)
	}
	proposal := a.Proposal
	a.Change = body.Change.Change
	a.Proposal, a.With = proposal, body.With
	a.Firing, a.Claim, a.Direction, a.DryRun, a.Irreproducible, a.Ready, a.At = body.Firing, body.Claim, body.Direction, body.DryRun, body.Once, body.Ready, timeOf(at)
	a.Outcome = engine.Outcome{Status: engine.Running}
	a.Begun = !status.Valid && detail.Valid
	if status.Valid {
		a.Outcome = engine.Outcome{Status: engine.Status(status.String), Detail: detail.String, Applied: applied}
		a.EndedAt = timeOf(ended.Int64)
	}
	return a, nil
}

func (j *Journal) notes(ctx context.Context, agent string) ([]engine.Note, error) {
	var notes []engine.Note
	err := j.each(ctx, func(rows *sql.Rows) error {
		var target engine.TargetID
		var key string
		var raw []byte
		if err := rows.Scan(&target.Namespace, &target.Name, &target.Kind, &key, &raw); err != nil {
			return err
		}
		var value any
		err := jsonvalue.Unmarshal(raw, &value)
		notes = append(notes, engine.StoredNote(target, key, value))
		return err
	}, `SELECT namespace, name, kind, strategy, value FROM notes WHERE agent = ? ORDER BY namespace, name, kind, strategy`, agent)
	return notes, err
}

// each reads rows concurrently with the writer. It sees all writes that have returned.
func (j *Journal) each(ctx context.Context, row func(*sql.Rows) error, query string, args ...any) error {
	r, err := j.Reader()
	if err != nil {
		return err
	}
	return r.each(ctx, row, query, args...)
}

func (r *Reader) each(ctx context.Context, row func(*sql.Rows) error, query string, args ...any) error {
	rows, err := r.db.QueryContext(ctx, query, args...)
	if err != nil {
		return r.readError(err)
	}
	for err == nil && rows.Next() {
		err = row(rows)
	}
	return r.readError(errors.Join(err, rows.Err(), rows.Close()))
}
