package registry

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/scanflow-k8s/scanflow/engine/mlflow"
)

const scheme = "models:/"

// ErrURI is wrapped by every error about a text that names no version.
var ErrURI = errors.New("not the address of a model version")

// IsURI reports whether a text is a URI of the registry, and not the name of a file.
func IsURI(text string) bool { return strings.HasPrefix(text, "models:") }

// Find returns the version that a URI names: models:/NAME/VERSION, or models:/NAME@ALIAS for the
// current version of an alias.
func Find(ctx context.Context, c *mlflow.Client, uri string) (mlflow.Version, error) {
	rest, is := strings.CutPrefix(uri, scheme)
	name, alias, byAlias := strings.Cut(rest, "@")
	if !byAlias {
		name, alias, _ = strings.Cut(rest, "/")
	}
	if !is || name == "" || alias == "" || strings.ContainsAny(alias, "/@") || strings.Contains(name, "/") {
		return mlflow.Version{}, fmt.Errorf("%w: %q; write it as models:/NAME/VERSION or models:/NAME@ALIAS", ErrURI, uri)
	}
	find := c.Version
	if byAlias {
		find = c.VersionByAlias
	}
	v, err := find(ctx, name, alias)
	if err != nil {
		return v, fmt.Errorf("find %s: %w", uri, err)
	}
	return v, nil
}
