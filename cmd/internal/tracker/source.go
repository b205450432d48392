package tracker

import (
	"context"
	"database/sql"
	"net/url"
	"slices"
	"strings"
)

const artifactScheme = "mlflow-artifacts"

// checkSource rejects a source of a version that is a path on this machine, which other
// machines can't read, or that contains "..".
func checkSource(source string) error {
	u, err := url.Parse(source)
	if err != nil || u.Scheme == "" || u.Scheme == "file" {
		return invalid("Invalid model version source: '%s'. It must be a URI that others can read, like runs:/RUN_ID/model or mlflow-artifacts:/...", shorten(source))
	}
	if climbs(u.Path) || climbs(u.Opaque) {
		return invalid("Invalid model version source: '%s'. If supplying a source as an http, https, local file path, ftp, objectstore, or mlflow-artifacts uri, an absolute path must be provided without relative path references present. Please provide an absolute path.", shorten(source))
	}
	return nil
}

func climbs(path string) bool { return slices.Contains(strings.Split(path, "/"), "..") }

// checkLocation rejects an artifact location that this tracker can't serve and clients can't
// reach.
func checkLocation(location string) error {
	if location == "" {
		return nil
	}
	u, err := url.Parse(location)
	if err != nil || u.Scheme == "" || u.Scheme == "runs" || u.Fragment != "" || climbs(u.Path) || climbs(u.Opaque) {
		return invalid("Invalid value \"%s\" for parameter 'artifact_location' supplied: leave it out, or give a URI that clients can write to.", shorten(location))
	}
	return nil
}

// resolveSource returns the location of a new version's files: that of another version if the
// source is models:/NAME/VERSION or models:/NAME@ALIAS, else the source itself.
func resolveSource(ctx context.Context, tx *sql.Tx, source string) (string, error) {
	rest, ok := strings.CutPrefix(source, "models:")
	if !ok {
		return source, nil
	}
	rest = strings.TrimLeft(rest, "/")
	if name, as, ok := strings.Cut(rest, "@"); ok {
		id, err := modelID(ctx, tx, name)
		if err != nil {
			return "", err
		}
		v, err := versionByAlias(ctx, tx, id, name, as)
		return v.location, err
	}
	name, number, ok := strings.Cut(rest, "/")
	if !ok {
		return "", invalid("Invalid model version source: '%s'. It must be like models:/NAME/VERSION or models:/NAME@ALIAS.", shorten(source))
	}
	v, err := namedVersion(ctx, tx, name, number)
	return v.location, err
}
