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

// Open returns the intents without a conclusion, oldest first; see engine.Journal.
// Of each proposal the journal has the agent, the target's id, the strategy, the verb, its
// parameters and the identity.
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

// Remember returns what an agent did; see engine.Journal. An act counts as since a
// time where it began or ended then or later, or has not ended. The last act
// applied is there too, by target and verb. The last act is the one intended last, whatever the clock said.
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
		a      engine.Act
		at     int64
		raw    []byte
		status sql.NullString
		detail sql.NullString
		ended  sql.NullInt64
		wrote  bool
		body   actBody
	)
	if err := rows.Scan(&a.Identity, &a.Agent, &a.Target.Namespace, &a.Target.Name, &a.Target.Kind, &a.Strategy, &a.Primitive,
		&at, &raw, &status, &detail, &wrote, &ended); err != nil {
		return a, err
	}
	if err := jsonvalue.Unmarshal(raw, &body); err != nil {
		return a, fmt.Errorf("act %s: %w", a.Identity, err)
	}
	proposal := a.Proposal
	a.Change = body.Change.Change
	a.Proposal, a.With = proposal, body.With
	a.Firing, a.Claim, a.Direction, a.DryRun, a.Once, a.At = body.Firing, body.Claim, body.Direction, body.DryRun, body.Once, moment(at)
	a.Outcome = engine.Outcome{Status: engine.Running}
	a.Begun = !status.Valid && detail.Valid
	if status.Valid {
		a.Outcome = engine.Outcome{Status: engine.Status(status.String), Detail: detail.String, Applied: wrote}
		a.EndedAt = moment(ended.Int64)
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

// each reads rows beside the writer: it sees every write that returned.
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
		return r.fault(err)
	}
	for err == nil && rows.Next() {
		err = row(rows)
	}
	return r.fault(errors.Join(err, rows.Err(), rows.Close()))
}
