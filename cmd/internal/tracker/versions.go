package tracker

import (
	"context"
	"database/sql"
	"errors"
)

// version is MLflow's message ModelVersion.
type version struct {
	Name        string   `json:"name"`
	Version     string   `json:"version"`
	Created     int64    `json:"creation_timestamp"`
	Updated     int64    `json:"last_updated_timestamp"`
	Stage       string   `json:"current_stage"`
	Description string   `json:"description,omitempty"`
	Source      string   `json:"source"`
	RunID       string   `json:"run_id,omitempty"`
	RunLink     string   `json:"run_link,omitempty"`
	Status      string   `json:"status"` // READY: nothing is copied
	Tags        []tag    `json:"tags,omitempty"`
	Aliases     []string `json:"aliases,omitempty"`

	model, number int64
	location      string
}

const (
	versionColumns = `SELECT v.model, m.name, v.version, v.created, v.updated, v.stage, v.description, v.source, v.location, v.run_id, v.run_link
		FROM versions v JOIN models m ON m.id = v.model`
	putVersionTag = `INSERT INTO version_tags VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET value = excluded.value`
)

type createVersionRequest struct {
	Name        string `json:"name" required:"true"`
	Source      string `json:"source" required:"true"`
	RunID       string `json:"run_id"`
	RunLink     string `json:"run_link"`
	Description string `json:"description"`
	Tags        []tag  `json:"tags"`
}

func (t *Tracker) createVersion(ctx context.Context, q *createVersionRequest) (any, error) {
	if err := checkTags("Model version", q.Tags, maxRegistryValue); err != nil {
		return nil, err
	}
	if err := checkSource(q.Source); err != nil {
		return nil, err
	}
	var answer versionAnswer
	return &answer, t.store.update(ctx, func(ctx context.Context, tx *sql.Tx) error {
		id, err := modelID(ctx, tx, q.Name)
		if err != nil {
			return err
		}
		location, err := resolveSource(ctx, tx, q.Source)
		if err != nil {
			return err
		}
		now := t.now()
		var n int64
		// The row of a deleted version stays, so that its number is not reused.
		if err := tx.QueryRowContext(ctx, `INSERT INTO versions (model, version, description, stage, source, location, run_id, run_link, created, updated)
			SELECT ?1, 1 + coalesce(max(version), 0), ?2, 'None', ?3, ?4, ?5, ?6, ?7, ?7 FROM versions WHERE model = ?1 RETURNING version`,
			id, q.Description, q.Source, location, q.RunID, q.RunLink, now).Scan(&n); err != nil {
			return err
		}
		if err := execute(ctx, tx, `UPDATE models SET updated = ? WHERE id = ?`, now, id); err != nil {
			return err
		}
		if err := setTags(ctx, tx, putVersionTag, q.Tags, id, n); err != nil {
			return err
		}
		answer.Version, err = findVersion(ctx, tx, id, q.Name, n)
		return err
	})
}

type versionRequest struct {
	Name    string `json:"name" required:"true"`
	Version string `json:"version" required:"true"`
}

func (t *Tracker) getVersion(ctx context.Context, q *versionRequest) (any, error) {
	var answer versionAnswer
	return &answer, t.store.view(ctx, func(ctx context.Context, tx *sql.Tx) (err error) {
		answer.Version, err = namedVersion(ctx, tx, q.Name, q.Version)
		return err
	})
}

type downloadAnswer struct {
	URI string `json:"artifact_uri"`
}

func (t *Tracker) downloadURI(ctx context.Context, q *versionRequest) (any, error) {
	var answer downloadAnswer
	return &answer, t.store.view(ctx, func(ctx context.Context, tx *sql.Tx) error {
		v, err := namedVersion(ctx, tx, q.Name, q.Version)
		answer.URI = v.location
		return err
	})
}

// namedVersion finds the version that a request names.
func namedVersion(ctx context.Context, tx *sql.Tx, name, number string) (version, error) {
	n, err := versionNumber(number)
	if err != nil {
		return version{}, err
	}
	var id int64
	err = tx.QueryRowContext(ctx, `SELECT id FROM models WHERE name = ?`, name).Scan(&id)
	if errors.Is(err, sql.ErrNoRows) {
		return version{}, noVersion(name, n)
	}
	if err != nil {
		return version{}, err
	}
	return findVersion(ctx, tx, id, name, n)
}

func noVersion(name string, n int64) error {
	return missing("Model Version (name=%s, version=%d) not found", shorten(name), n)
}

func findVersion(ctx context.Context, tx *sql.Tx, model int64, name string, n int64) (version, error) {
	found, err := readVersions(ctx, tx, versionColumns+` WHERE v.model = ? AND v.version = ? AND v.stage != ?`, model, n, gone)
	if err != nil {
		return version{}, err
	}
	if len(found) == 0 {
		return version{}, noVersion(name, n)
	}
	return found[0], nil
}
