package tracker

import (
	"context"
	"database/sql"
)

// checkTags refuses tags that break MLflow's rules; most bounds a value.
func checkTags(what string, tags []tag, most int) error {
	for _, g := range tags {
		if err := checkKey(what, g.Key); err != nil {
			return err
		}
		if err := checkLength(what+" value", g.Value, most); err != nil {
			return err
		}
	}
	return nil
}

// setTags runs a statement for each tag, its arguments those of the owner, then key
// and value.
func setTags(ctx context.Context, tx *sql.Tx, query string, tags []tag, owner ...any) error {
	for _, g := range tags {
		args := append(append([]any{}, owner...), g.Key, g.Value)
		if err := execute(ctx, tx, query, args...); err != nil {
			return err
		}
	}
	return nil
}
