package tracker

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
)

type logParamRequest struct {
	Run   string `json:"run_id" alias:"run_uuid" required:"true"`
	Key   string `json:"key" required:"true"`
	Value string `json:"value"`
}

func (t *Tracker) logParam(ctx context.Context, q *logParamRequest) (any, error) {
	params := []tag{{q.Key, q.Value}}
	if err := checkParams(params); err != nil {
		return nil, err
	}
	return t.onRun(ctx, q.Run, func(ctx context.Context, tx *sql.Tx, seq int64) error {
		return addParams(ctx, tx, q.Run, seq, params)
	})
}

// checkParams rejects invalid names, and truncates values as MLflow does.
func checkParams(params []tag) error {
	for i, p := range params {
		if err := checkKey("parameter", p.Key); err != nil {
			return err
		}
		params[i].Value = cut(p.Value, maxParamValue)
	}
	return nil
}

// addParams writes parameters, which never change: only the same value is accepted again.
func addParams(ctx context.Context, tx *sql.Tx, id string, seq int64, params []tag) error {
	var changed []string
	for _, p := range params {
		var old string
		err := tx.QueryRowContext(ctx, `SELECT value FROM params WHERE run = ? AND key = ?`, seq, p.Key).Scan(&old)
		switch {
		case errors.Is(err, sql.ErrNoRows):
			if err := execute(ctx, tx, `INSERT INTO params VALUES (?, ?, ?)`, seq, p.Key, p.Value); err != nil {
				return err
			}
		case err != nil:
			return err
		case old != p.Value:
			changed = append(changed, fmt.Sprintf("key='%s' was already logged with value='%s', and now comes with '%s'", p.Key, shorten(old), shorten(p.Value)))
		}
	}
	if len(changed) > 0 {
		return invalid("Changing param values is not allowed. Param with %s, for run ID='%s'.", strings.Join(changed, "; "), id)
	}
	return nil
}
