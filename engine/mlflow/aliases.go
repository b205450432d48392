package mlflow

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
)

const aliasCall = "registered-models/alias"

// VersionByAlias returns the version that an alias names. The error is ErrNotFound if there is
// no such alias, and ErrNoAliases if the server has none at all.
func (c *Client) VersionByAlias(ctx context.Context, model, alias string) (Version, error) {
	var out oneVersion
	err := c.get(ctx, aliasCall, url.Values{"name": {model}, "alias": {alias}}, &out)
	return out.Version.version(), aliasError(err)
}

// SetAlias points an alias to a version, whatever it named before.
func (c *Client) SetAlias(ctx context.Context, model, alias, version string) error {
	return aliasError(c.post(ctx, aliasCall, map[string]string{"name": model, "alias": alias, "version": version}, nil))
}

// DeleteAlias deletes an alias. If there is none, the error is ErrNotFound or nil, depending
// on the server.
func (c *Client) DeleteAlias(ctx context.Context, model, alias string) error {
	return aliasError(c.call(ctx, http.MethodDelete, aliasCall, map[string]string{"name": model, "alias": alias}, nil))
}

// aliasError adds ErrNoAliases or ErrNotFound to an error: for an alias that isn't there MLflow
// answers that a value is invalid.
func aliasError(err error) error {
	var refused *Error
	if !errors.As(err, &refused) {
		return err
	}
	switch {
	case refused.noEndpoint():
		return errors.Join(ErrNoAliases, err)
	case refused.Code == codeBadValue && strings.Contains(refused.Message, "not found"):
		return errors.Join(ErrNotFound, err)
	}
	return err
}
