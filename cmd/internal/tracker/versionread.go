package tracker

import (
	"context"
	"database/sql"
	"strconv"
)

// readVersions reads the rows of a query for versionColumns, with tags and aliases,
// in three queries for any number of versions.
func readVersions(ctx context.Context, tx *sql.Tx, query string, args ...any) ([]version, error) {
	type key struct{ model, number int64 }
	var out []version
	at := map[key]int{}
	var models []int64
	err := each(ctx, tx, query, args, func(scan func(...any) error) error {
		v := version{Status: "READY"}
		err := scan(&v.model, &v.Name, &v.number, &v.Created, &v.Updated, &v.Stage, &v.Description, &v.Source, &v.location, &v.RunID, &v.RunLink)
		v.Version = strconv.FormatInt(v.number, 10)
		at[key{v.model, v.number}] = len(out)
		if len(models) == 0 || models[len(models)-1] != v.model {
			models = append(models, v.model)
		}
		out = append(out, v)
		return err
	})
	if err != nil || len(out) == 0 {
		return nil, err
	}
	these := []any{list(models)} // other versions of these models are passed over below
	err = each(ctx, tx, `SELECT model, version, key, value FROM version_tags WHERE model IN (SELECT value FROM json_each(?)) ORDER BY model, version, key`, these, func(scan func(...any) error) error {
		var k key
		var g tag
		err := scan(&k.model, &k.number, &g.Key, &g.Value)
		if i, ok := at[k]; ok {
			out[i].Tags = append(out[i].Tags, g)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return out, each(ctx, tx, `SELECT model, version, alias FROM aliases WHERE model IN (SELECT value FROM json_each(?)) ORDER BY model, alias`, these, func(scan func(...any) error) error {
		var k key
		var name string
		err := scan(&k.model, &k.number, &name)
		if i, ok := at[k]; ok {
			out[i].Aliases = append(out[i].Aliases, name)
		}
		return err
	})
}

// latestVersions returns the newest versions of each stage, of the models in a JSON list.
func latestVersions(ctx context.Context, tx *sql.Tx, models string) ([]version, error) {
	return readVersions(ctx, tx, versionColumns+` WHERE v.model IN (SELECT value FROM json_each(?)) AND v.stage != ?
		AND v.version = (SELECT max(o.version) FROM versions o WHERE o.model = v.model AND o.stage = v.stage) ORDER BY v.model, v.version`, models, gone)
}
