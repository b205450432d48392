package tracker

import (
	"context"
	"database/sql"
)

type setTagRequest struct {
	Run   string `json:"run_id" alias:"run_uuid" required:"true"`
	Key   string `json:"key" required:"true"`
	Value string `json:"value"`
}

func (t *Tracker) setTag(ctx context.Context, q *setTagRequest) (any, error) {
	tags := []tag{{q.Key, q.Value}}
	if err := checkRunTags(tags); err != nil {
		return nil, err
	}
	return t.onRun(ctx, q.Run, func(ctx context.Context, tx *sql.Tx, seq int64) error {
		return setRunTags(ctx, tx, seq, tags)
	})
}

// checkRunTags rejects invalid names, and truncates values as MLflow does.
func checkRunTags(tags []tag) error {
	for i, g := range tags {
		if err := checkKey("tag", g.Key); err != nil {
			return err
		}
		tags[i].Value = cut(g.Value, maxRunTagValue)
	}
	return nil
}

// setRunTags sets tags, one of which is the run's name.
func setRunTags(ctx context.Context, tx *sql.Tx, seq int64, tags []tag) error {
	for _, g := range tags {
		if g.Key == runNameTag && g.Value != "" {
			if err := renameRun(ctx, tx, seq, g.Value); err != nil {
				return err
			}
			continue
		}
		if err := execute(ctx, tx, putRunTag, seq, g.Key, g.Value); err != nil {
			return err
		}
	}
	return nil
}

type deleteTagRequest struct {
	Run string `json:"run_id" required:"true"`
	Key string `json:"key" required:"true"`
}

func (t *Tracker) deleteTag(ctx context.Context, q *deleteTagRequest) (any, error) {
	return t.onRun(ctx, q.Run, func(ctx context.Context, tx *sql.Tx, seq int64) error {
		res, err := tx.ExecContext(ctx, `DELETE FROM run_tags WHERE run = ? AND key = ?`, seq, q.Key)
		if err != nil {
			return err
		}
		n, err := res.RowsAffected()
		if err == nil && n == 0 {
			err = missing("No tag with name: %s in run with id %s", shorten(q.Key), q.Run)
		}
		return err
	})
}
