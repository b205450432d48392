package tracker

import (
	"context"
	"database/sql"
	"fmt"
)

// applicationID marks the file as a tracker's ("SFT1").
const applicationID = 0x53465431

// migrations[i] leads from schema i to schema i+1; the schema is the file's
// user_version.
//
// Times are milliseconds since the Unix epoch, as in MLflow. NaN is stored as 0 with nan set,
// since SQLite would store NULL. latest_metrics has, for each metric of a run, the last point
// by step, time and value.
var migrations = [][]string{{
	`CREATE TABLE experiments (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE, location TEXT NOT NULL,
		stage TEXT NOT NULL, created INTEGER NOT NULL, updated INTEGER NOT NULL)`,
	`CREATE TABLE experiment_tags (experiment INTEGER NOT NULL REFERENCES experiments, key TEXT NOT NULL, value TEXT NOT NULL,
		PRIMARY KEY (experiment, key)) WITHOUT ROWID`,

	`CREATE TABLE runs (seq INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, experiment INTEGER NOT NULL REFERENCES experiments,
		name TEXT NOT NULL, user TEXT NOT NULL, status TEXT NOT NULL, started INTEGER NOT NULL, ended INTEGER,
		stage TEXT NOT NULL, artifact_uri TEXT NOT NULL)`,
	`CREATE INDEX runs_started ON runs (experiment, started DESC, id)`,
	`CREATE TABLE metrics (run INTEGER NOT NULL REFERENCES runs, key TEXT NOT NULL, at INTEGER NOT NULL, step INTEGER NOT NULL,
		value REAL NOT NULL, nan INTEGER NOT NULL, PRIMARY KEY (run, key, at, step, value, nan)) WITHOUT ROWID`,
	`CREATE TABLE latest_metrics (run INTEGER NOT NULL REFERENCES runs, key TEXT NOT NULL, at INTEGER NOT NULL, step INTEGER NOT NULL,
		value REAL NOT NULL, nan INTEGER NOT NULL, PRIMARY KEY (run, key)) WITHOUT ROWID`,
	`CREATE TABLE params (run INTEGER NOT NULL REFERENCES runs, key TEXT NOT NULL, value TEXT NOT NULL,
		PRIMARY KEY (run, key)) WITHOUT ROWID`,
	`CREATE TABLE run_tags (run INTEGER NOT NULL REFERENCES runs, key TEXT NOT NULL, value TEXT NOT NULL,
		PRIMARY KEY (run, key)) WITHOUT ROWID`,

	`CREATE TABLE models (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE, description TEXT NOT NULL,
		created INTEGER NOT NULL, updated INTEGER NOT NULL)`,
	`CREATE TABLE model_tags (model INTEGER NOT NULL REFERENCES models ON DELETE CASCADE, key TEXT NOT NULL, value TEXT NOT NULL,
		PRIMARY KEY (model, key)) WITHOUT ROWID`,
	`CREATE TABLE versions (model INTEGER NOT NULL REFERENCES models ON DELETE CASCADE, version INTEGER NOT NULL,
		description TEXT NOT NULL, stage TEXT NOT NULL, source TEXT NOT NULL, location TEXT NOT NULL, run_id TEXT NOT NULL,
		run_link TEXT NOT NULL, created INTEGER NOT NULL, updated INTEGER NOT NULL, PRIMARY KEY (model, version)) WITHOUT ROWID`,
	`CREATE INDEX versions_run ON versions (run_id)`,
	`CREATE TABLE version_tags (model INTEGER NOT NULL, version INTEGER NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL,
		PRIMARY KEY (model, version, key), FOREIGN KEY (model, version) REFERENCES versions ON DELETE CASCADE) WITHOUT ROWID`,
	`CREATE TABLE aliases (model INTEGER NOT NULL, alias TEXT NOT NULL, version INTEGER NOT NULL,
		PRIMARY KEY (model, alias), FOREIGN KEY (model, version) REFERENCES versions ON DELETE CASCADE) WITHOUT ROWID`,
}}

// schemaOf returns the version of the file's schema, and whether the file is empty. It rejects
// a file that is not a tracker's or has a newer schema.
func schemaOf(ctx context.Context, tx *sql.Tx, path string) (version int, fresh bool, err error) {
	var app, tables int
	if err := tx.QueryRowContext(ctx, `SELECT a.application_id, u.user_version, (SELECT count(*) FROM sqlite_schema)
		FROM pragma_application_id a, pragma_user_version u`).Scan(&app, &version, &tables); err != nil {
		return 0, false, err
	}
	fresh = app == 0 && tables == 0
	switch {
	case !fresh && app != applicationID:
		return 0, false, fmt.Errorf("%w: %s is the database of some other program: move it away, or pass another folder", ErrForeign, path)
	case version > len(migrations):
		return 0, false, fmt.Errorf("%w: %s has schema %d, and this Scanflow knows %d: run one at least as new as the one that wrote it", ErrForeign, path, version, len(migrations))
	}
	return version, fresh, nil
}

// migrate updates the file to the newest schema.
func migrate(ctx context.Context, tx *sql.Tx, path string) (fresh bool, err error) {
	version, fresh, err := schemaOf(ctx, tx, path)
	if err != nil {
		return false, err
	}
	for _, step := range migrations[version:] {
		for _, ddl := range step {
			if _, err := tx.ExecContext(ctx, ddl); err != nil {
				return false, err
			}
		}
	}
	if version == len(migrations) {
		return false, nil
	}
	for _, pragma := range []string{fmt.Sprintf(`PRAGMA application_id = %d`, applicationID), fmt.Sprintf(`PRAGMA user_version = %d`, len(migrations))} {
		if _, err := tx.ExecContext(ctx, pragma); err != nil {
			return false, err
		}
	}
	return fresh, nil
}
