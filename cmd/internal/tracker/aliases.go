package tracker

import (
	"context"
	"database/sql"
	"errors"
	"strings"
)

// latestAlias is the newest version of a model. It can't be set.
const latestAlias = "latest"

type setAliasRequest struct {
	Name    string `json:"name" required:"true"`
	Alias   string `json:"alias" required:"true"`
	Version string `json:"version" required:"true"`
}

func (t *Tracker) setAlias(ctx context.Context, q *setAliasRequest) (any, error) {
	if err := checkNewAlias(q.Alias); err != nil {
		return nil, err
	}
	return t.onVersion(ctx, q.Name, q.Version, func(ctx context.Context, tx *sql.Tx, v version) error {
		return execute(ctx, tx, `INSERT INTO aliases VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET version = excluded.version`, v.model, q.Alias, v.number)
	})
}

type aliasRequest struct {
	Name  string `json:"name" required:"true"`
	Alias string `json:"alias" required:"true"`
}

// deleteAlias accepts an alias that does not exist, as MLflow does.
func (t *Tracker) deleteAlias(ctx context.Context, q *aliasRequest) (any, error) {
	if err := checkAlias(q.Alias); err != nil {
		return nil, err
	}
	return t.onModel(ctx, q.Name, func(ctx context.Context, tx *sql.Tx, id int64) error {
		return execute(ctx, tx, `DELETE FROM aliases WHERE model = ? AND alias = ?`, id, q.Alias)
	})
}

type versionAnswer struct {
	Version version `json:"model_version"`
}

func (t *Tracker) getByAlias(ctx context.Context, q *aliasRequest) (any, error) {
	if err := checkAlias(q.Alias); err != nil {
		return nil, err
	}
	var answer versionAnswer
	return &answer, t.store.view(ctx, func(ctx context.Context, tx *sql.Tx) error {
		id, err := modelID(ctx, tx, q.Name)
		if err != nil {
			return err
		}
		answer.Version, err = versionByAlias(ctx, tx, id, q.Name, q.Alias)
		return err
	})
}

// versionByAlias returns INVALID_PARAMETER_VALUE for an alias that does not exist, as MLflow
// does, and not RESOURCE_DOES_NOT_EXIST.
func versionByAlias(ctx context.Context, tx *sql.Tx, model int64, name, alias string) (version, error) {
	var n int64
	var err error
	if strings.EqualFold(alias, latestAlias) {
		err = tx.QueryRowContext(ctx, `SELECT version FROM versions WHERE model = ? AND stage != ? ORDER BY version DESC LIMIT 1`, model, gone).Scan(&n)
		if errors.Is(err, sql.ErrNoRows) {
			return version{}, missing("Latest version not found for model %s.", name)
		}
	} else {
		err = tx.QueryRowContext(ctx, `SELECT version FROM aliases WHERE model = ? AND alias = ?`, model, alias).Scan(&n)
		if errors.Is(err, sql.ErrNoRows) {
			return version{}, invalid("Registered model alias %s not found.", alias)
		}
	}
	if err != nil {
		return version{}, err
	}
	return findVersion(ctx, tx, model, name, n)
}
