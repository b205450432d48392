package tracker

import (
	"context"
	"database/sql"
)

// checkTags rejects tags that violate MLflow's rules; most bounds a value.
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

// setTags runs a statement for each tag, with the owner's arguments, then key and value.
func setTags(ctx context.Context, tx *sql.Tx, query string, tags []tag, owner ...any) error {
	for _, g := range tags {
		args := append(append([]any{}, owner...), g.Key, g.Value)
		if err := execute(ctx, tx, query, args...); err != nil {
			return err
		}
	}
	return nil
}
