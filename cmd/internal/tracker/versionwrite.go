package tracker

import (
	"context"
	"database/sql"
)

// onVersion runs a function in a transaction on a version.
func (t *Tracker) onVersion(ctx context.Context, name, number string, do func(context.Context, *sql.Tx, version) error) (any, error) {
	return empty{}, t.store.update(ctx, func(ctx context.Context, tx *sql.Tx) error {
		v, err := namedVersion(ctx, tx, name, number)
		if err != nil {
			return err
		}
		return do(ctx, tx, v)
	})
}

// changeVersion changes a version and returns its new state.
func (t *Tracker) changeVersion(ctx context.Context, name, number string, do func(ctx context.Context, tx *sql.Tx, v version, now int64) error) (any, error) {
	var answer versionAnswer
	_, err := t.onVersion(ctx, name, number, func(ctx context.Context, tx *sql.Tx, v version) (err error) {
		if err := do(ctx, tx, v, t.now()); err != nil {
			return err
		}
		answer.Version, err = findVersion(ctx, tx, v.model, v.Name, v.number)
		return err
	})
	return answer, err
}

type updateVersionRequest struct {
	Name        string `json:"name" required:"true"`
	Version     string `json:"version" required:"true"`
	Description string `json:"description"`
}

func (t *Tracker) updateVersion(ctx context.Context, q *updateVersionRequest) (any, error) {
	return t.changeVersion(ctx, q.Name, q.Version, func(ctx context.Context, tx *sql.Tx, v version, now int64) error {
		return execute(ctx, tx, `UPDATE versions SET description = ?, updated = ? WHERE model = ? AND version = ?`, q.Description, now, v.model, v.number)
	})
}

// deleteVersion clears the row and keeps it, so that the number is not reused.
func (t *Tracker) deleteVersion(ctx context.Context, q *versionRequest) (any, error) {
	return t.onVersion(ctx, q.Name, q.Version, func(ctx context.Context, tx *sql.Tx, v version) error {
		now := t.now()
		if err := execute(ctx, tx, `UPDATE versions SET stage = ?, description = '', source = '', location = '', run_id = '', run_link = '', updated = ? WHERE model = ? AND version = ?`, gone, now, v.model, v.number); err != nil {
			return err
		}
		if err := execute(ctx, tx, `DELETE FROM aliases WHERE model = ? AND version = ?`, v.model, v.number); err != nil {
			return err
		}
		if err := execute(ctx, tx, `DELETE FROM version_tags WHERE model = ? AND version = ?`, v.model, v.number); err != nil {
			return err
		}
		return execute(ctx, tx, `UPDATE models SET updated = ? WHERE id = ?`, now, v.model)
	})
}

type versionTagRequest struct {
	Name    string `json:"name" required:"true"`
	Version string `json:"version" required:"true"`
	Key     string `json:"key" required:"true"`
	Value   string `json:"value"`
}

func (t *Tracker) setVersionTag(ctx context.Context, q *versionTagRequest) (any, error) {
	tags := []tag{{q.Key, q.Value}}
	if err := checkTags("Model version", tags, maxRegistryValue); err != nil {
		return nil, err
	}
	return t.onVersion(ctx, q.Name, q.Version, func(ctx context.Context, tx *sql.Tx, v version) error {
		return setTags(ctx, tx, putVersionTag, tags, v.model, v.number)
	})
}

// deleteVersionTag accepts a tag that does not exist, as MLflow does.
func (t *Tracker) deleteVersionTag(ctx context.Context, q *versionTagRequest) (any, error) {
	return t.onVersion(ctx, q.Name, q.Version, func(ctx context.Context, tx *sql.Tx, v version) error {
		return execute(ctx, tx, `DELETE FROM version_tags WHERE model = ? AND version = ? AND key = ?`, v.model, v.number, q.Key)
	})
}
