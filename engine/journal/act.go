package journal

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/scanflow-k8s/scanflow/engine"
)

// actBody is the JSON of an act, in addition to its columns.
type actBody struct {
	Firing    string           `json:"firing"`
	With      map[string]any   `json:"with,omitempty"`
	Claim     string           `json:"claim,omitempty"`
	Direction engine.Direction `json:"direction,omitempty"`
	DryRun    bool             `json:"dry_run,omitempty"`
	Once      bool             `json:"once,omitempty"`
	Ready     *int             `json:"ready,omitempty"`
	Change    storedChange     `json:"change"`
}

// storedChange is the plan of an act, with the act's identity.
type storedChange struct {
	Identity string `json:"identity"`
	engine.Change
}

// Intend writes a single intent. The intents of a firing are written with the firing. Writing
// the same intent again, with any time, has no effect; a different one with the same identity
// is an ErrConflict.
func (j *Journal) Intend(ctx context.Context, in engine.Intent) error {
	body, err := encodeIntent(in)
	if err != nil {
		return err
	}
	if err := j.writer.do(ctx, func(ctx context.Context, s *store) error { return s.intend(ctx, in, body) }); err != nil {
		return fmt.Errorf("intend %s on %s: %w", in.Primitive, in.Target, err)
	}
	return nil
}

func encodeIntent(in engine.Intent) ([]byte, error) {
	if in.Identity == "" || in.Agent == "" {
		return nil, fmt.Errorf("intend %s on %s: an intent needs an identity and an agent", in.Primitive, in.Target)
	}
	body, err := json.Marshal(actBody{in.Firing, in.With, in.Claim, in.Direction, in.DryRun, in.Irreproducible, in.Ready, storedChange{in.Identity, in.Change}})
	if err != nil {
		return nil, fmt.Errorf("intend %s on %s: %w", in.Primitive, in.Target, err)
	}
	return body, nil
}

func (s *store) intend(ctx context.Context, in engine.Intent, body []byte) error {
	n, err := s.execCount(ctx, `INSERT INTO acts (identity, agent, namespace, name, kind, strategy, verb, at, body)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (identity) DO NOTHING`,
		in.Identity, in.Agent, in.Target.Namespace, in.Target.Name, in.Target.Kind, in.Strategy, in.Primitive, nanos(in.At), body)
	if err != nil || n == 1 {
		return err
	}
	var existing engine.Intent
	var old []byte
	if err := s.queryRow(ctx, `SELECT agent, namespace, name, kind, strategy, verb, body FROM acts WHERE identity = ?`, []any{in.Identity},
		&existing.Agent, &existing.Target.Namespace, &existing.Target.Name, &existing.Target.Kind, &existing.Strategy, &existing.Primitive, &old); err != nil {
		return err
	}
	if existing.Agent != in.Agent || existing.Target.ID() != in.Target.ID() || existing.Strategy != in.Strategy || existing.Primitive != in.Primitive || !bytes.Equal(old, body) {
		return fmt.Errorf("identity %s: %w", in.Identity, ErrConflict)
	}
	return nil
}

// detailBegun is the detail of an act that was applied and has no conclusion.
const detailBegun = "begun"

// Began records that an act was applied. It is an ErrNotFound if there is no such intent.
func (j *Journal) Began(ctx context.Context, identity string) error {
	err := j.writer.do(ctx, func(ctx context.Context, s *store) error {
		n, err := s.execCount(ctx, `UPDATE acts SET detail = coalesce(detail, ?) WHERE identity = ?`, detailBegun, identity)
		if err == nil && n == 0 {
			err = fmt.Errorf("intent %w", ErrNotFound)
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("note that %s has begun: %w", identity, err)
	}
	return nil
}

// Conclude writes the outcome of an intent; see engine.Journal. Writing the same conclusion
// again has no effect; a different one is an ErrConflict. It is an ErrNotFound if there is no
// such intent.
func (j *Journal) Conclude(ctx context.Context, c engine.Conclusion) error {
	if c.Outcome.Status == engine.Running || c.Outcome.Status == "" {
		return fmt.Errorf("conclude %s: %q is no conclusion", c.Identity, c.Outcome.Status)
	}
	if err := j.writer.do(ctx, func(ctx context.Context, s *store) error { return s.conclude(ctx, c) }); err != nil {
		return fmt.Errorf("conclude %s: %w", c.Identity, err)
	}
	return nil
}

func (s *store) conclude(ctx context.Context, c engine.Conclusion) error {
	n, err := s.execCount(ctx, `UPDATE acts SET status = ?, detail = ?, applied = ?, ended = ? WHERE identity = ? AND status IS NULL`,
		string(c.Outcome.Status), c.Outcome.Detail, c.Outcome.Applied, nanos(c.At), c.Identity)
	if err != nil || n == 1 {
		return err
	}
	var existing engine.Outcome
	err = s.queryRow(ctx, `SELECT status, detail, applied FROM acts WHERE identity = ?`, []any{c.Identity}, &existing.Status, &existing.Detail, &existing.Applied)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return fmt.Errorf("intent %w", ErrNotFound)
	case err != nil:
		return err
	case existing != c.Outcome:
		return fmt.Errorf("as %s: %w", existing.Status, ErrConflict)
	}
	return nil
}
